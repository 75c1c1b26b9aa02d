package wire

// Tags of an IntermediateResponse (RFC 4511 section 4.13).
const (
	tagResponseName  = 0x80
	tagResponseValue = 0x81
)

// parseIntermediate decodes SEQUENCE { name [0] OPTIONAL, value [1] OPTIONAL }.
func parseIntermediate(m message) (Result, error) {
	var res Result
	body := m.body
	for body != "" {
		tag, content, rest, ok := cut(body)
		if !ok {
			return Result{}, malformed("intermediate response")
		}
		switch tag {
		case tagResponseName:
			res.Name = content
		case tagResponseValue:
			res.Value = content
		}
		body = rest
	}
	var err error
	res.Controls, err = parseControls(m.controls)
	return res, err
}

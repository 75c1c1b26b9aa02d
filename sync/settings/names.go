package settings

import "dirsyncd/sync/settings/strict"

// Names is a list of texts that may be written as one text.
type Names []string

// DecodeStrict reads one text or a list of texts.
func (n *Names) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Text {
		text, _ := v.Text()
		*n = Names{text}
		return
	}
	items, ok := v.Items()
	if !ok {
		return
	}
	list := make(Names, 0, len(items))
	for _, item := range items {
		if text, ok := item.Text(); ok {
			list = append(list, text)
		}
	}
	*n = list
}

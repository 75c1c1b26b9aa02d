package key

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// guid returns the GUIDs that a text stands for.
func guid(text string) []string {
	text = strings.TrimSpace(text)
	if raw, err := base64.StdEncoding.Strict().DecodeString(text); err == nil && len(text) == 24 && len(raw) == 16 {
		b := [16]byte(raw)
		plain, swapped := guidText(b), guidText(swap(b))
		if plain == swapped {
			return []string{plain}
		}
		return []string{plain, swapped}
	}
	text = strings.ToLower(text)
	if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
		text = text[1 : len(text)-1]
	}
	if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		text = text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 16 {
		return nil
	}
	return []string{guidText([16]byte(raw))}
}

// swap turns the first three groups around, as Microsoft keeps them ([MS-DTYP] 2.3.4.2).
func swap(b [16]byte) [16]byte {
	b[0], b[1], b[2], b[3] = b[3], b[2], b[1], b[0]
	b[4], b[5] = b[5], b[4]
	b[6], b[7] = b[7], b[6]
	return b
}

func guidText(b [16]byte) string {
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

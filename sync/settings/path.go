package settings

import (
	"path/filepath"

	"dirsyncd/sync/settings/strict"
)

// Path is a file path. A relative one in the configuration starts from the folder of the configuration file;
// after loading it is absolute.
type Path string

// DecodeStrict reads the path.
func (p *Path) DecodeStrict(v strict.Value) {
	text, ok := v.Text()
	if !ok {
		return
	}
	if text == "" {
		v.Problem("", "%s: the path is empty", v.Label())
		return
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(v.Document().Dir(), text)
	}
	*p = Path(filepath.Clean(text))
}

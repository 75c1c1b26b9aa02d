package rest

import (
	"embed"
	"fmt"
	"strings"

	"dirsyncd/sync/settings/strict"
)

//go:embed presets/*.yaml
var presets embed.FS

// Presets lists the products that are described.
func Presets() []string {
	entries, err := presets.ReadDir("presets")
	if err != nil {
		panic(err) // it is compiled in
	}
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return list
}

// PresetText is a preset as it is written; false when there is none of the name.
func PresetText(name string) (string, bool) {
	data, err := presets.ReadFile("presets/" + name + ".yaml")
	return string(data), err == nil
}

// loadPreset puts a preset into a configuration. That each of them can be read is for the tests.
func loadPreset(c *Config, name string) bool {
	text, ok := PresetText(name)
	if !ok {
		return false
	}
	doc := strict.Parse([]byte(text), strict.Options{})
	doc.Root().Into((*plainConfig)(c))
	if problems := doc.Problems(); len(problems) > 0 {
		panic(fmt.Sprintf("preset %s: %v", name, problems))
	}
	return true
}

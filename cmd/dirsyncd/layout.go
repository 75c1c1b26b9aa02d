package main

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"dirsyncd/connectors/files"
	"dirsyncd/sync/spelling"
)

// filesBlock returns the block of a connection that reads files; nil when no connection is named.
func (cli *cli) filesBlock(connection string) (*files.Config, error) {
	if connection == "" {
		return nil, nil //nolint:nilnil // there need not be one
	}
	cfg, err := cli.loadBlind()
	if err != nil {
		return nil, err
	}
	c, ok := cfg.Connection(connection)
	if !ok {
		return nil, &usageError{fmt.Sprintf("there is no connection %q", connection), spelling.Suggest(connection, connectionNames(cfg))}
	}
	block, ok := c.Block.(*files.Config)
	if !ok {
		return nil, &usageError{fmt.Sprintf("connection %q reads no files, but %s", connection, c.Connector), "only connections of the connector files have a layout"}
	}
	return block, nil
}

// kindOfFile says what the rows of a file are: as somebody said, as the connection's block says of a file of this name, or as
// the name itself does.
func kindOfFile(file, said string, block *files.Config) (string, error) {
	known := files.Words()
	switch {
	case said != "" && slices.Contains(known, said):
		return said, nil
	case said != "":
		return "", &usageError{fmt.Sprintf("there is no kind %q", said), spelling.Suggest(said, known)}
	}
	base := filepath.Base(file)
	if block != nil {
		for _, kind := range slices.Sorted(maps.Keys(block.Kinds)) {
			for _, pattern := range block.Kinds[kind].File {
				if ok, _ := path.Match(pattern, base); ok {
					return kind, nil
				}
			}
		}
	}
	kind := ""
	for word := range strings.FieldsFuncSeq(strings.ToLower(base), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if k := kindOfWord(word); k != "" {
			kind = k // of customer-sites the last word says what it is
		}
	}
	if kind == "" {
		return "", &usageError{fmt.Sprintf("the name %q does not say what the rows are", base), "say --kind: " + strings.Join(known, ", ")}
	}
	return kind, nil
}

// kindOfWord is the kind that a word of a file's name means; empty when it means none.
func kindOfWord(word string) string {
	for kind, words := range map[string]string{
		"customer": "customer customers client clients", "site": "site sites location locations",
		"person": "person persons people user users employee employees staff contact contacts", "group": "group groups team teams",
		"member": "member members membership memberships", "licence": "licence licences license licenses",
		"device": "device devices asset assets computer computers",
	} {
		if slices.Contains(strings.Fields(words), word) {
			return kind
		}
	}
	return ""
}

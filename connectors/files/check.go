package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"dirsyncd/connectors"
)

// checkedRows is how many rows of each file Check looks at.
const checkedRows = 100

// Check implements connectors.Connector: is the folder there, are there files, can they be read, do their columns mean what the
// configuration says.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	root, err := c.openFolder("check")
	if err != nil {
		return []connectors.Finding{connectors.Failed("folder", err)}, nil
	}
	defer func() { _ = root.Close() }()
	findings := []connectors.Finding{{Subject: "folder", OK: true, Detail: string(c.cfg.Folder)}}
	for _, word := range words() {
		k, ok := c.cfg.Kinds[word]
		if !ok {
			continue
		}
		list, missing, err := find(root, &k, c.cfg.Done.Folder)
		switch {
		case err != nil:
			findings = append(findings, connectors.Failed("kind "+word, fileFault("check", strings.Join(k.File, ", "), err)))
		case len(missing) > 0 && c.cfg.Done.Folder == "":
			findings = append(findings, connectors.Finding{Subject: "kind " + word, Detail: missing[0] + " is not there", Hint: "look at folder and file"})
		case len(list) == 0:
			findings = append(findings, connectors.Finding{Subject: "kind " + word, OK: true, Detail: "there is no file " + strings.Join(k.File, ", ") + " now"})
		}
		for _, f := range list {
			if ctx.Err() != nil {
				return findings, ctx.Err()
			}
			findings = append(findings, c.checkFile(ctx, root, word, &k, f))
		}
	}
	if folder := c.cfg.Done.Folder; folder != "" {
		findings = append(findings, checkDone(root, folder))
	}
	return findings, nil
}

// checkFile looks at the beginning of a file.
func (c *Connector) checkFile(ctx context.Context, root *os.Root, word string, k *Kind, f found) connectors.Finding {
	subject := word + " " + f.name
	o, err := openFile(root, f, int64(c.cfg.Limits.Size))
	if err != nil {
		return connectors.Failed(subject, fileFault("check", f.name, err))
	}
	defer func() { _ = o.Close() }()
	v := &surveyor{ctx: ctx, rows: checkedRows, problems: 1}
	err = v.source(&source{file: o, word: word, kind: k, limits: c.limits, rows: c.cfg.Limits.Rows, layouts: newLayouts(c.cfg.Kinds)})
	if err != nil && !errors.Is(err, errEnough) {
		return connectors.Failed(subject, fileFault("check", f.name, err))
	}
	rows, bad := 0, 0
	for _, s := range v.survey.Sheets {
		rows, bad = rows+s.Rows, bad+s.Bad
		for _, p := range s.Problems {
			return connectors.Finding{
				Subject: subject, Detail: fmt.Sprintf("%s%s: %s", place(f.name, s.Name, p.Line), columnInWords(p.Column), p.Reason), Hint: p.Hint,
			}
		}
	}
	detail := v.survey.Dialect
	if bad == 0 && rows > 0 {
		detail += ", the first rows can be read"
	}
	return connectors.Finding{Subject: subject, OK: true, Detail: detail}
}

// checkDone looks whether files can be moved.
func checkDone(root *os.Root, folder string) connectors.Finding {
	f := connectors.Finding{Subject: "done", OK: true, Detail: folder}
	probe := filepath.Join(folder, ".dirsyncd-check")
	err := root.MkdirAll(folder, 0o750)
	if err == nil {
		err = root.WriteFile(probe, nil, 0o600)
	}
	if err == nil {
		err = root.Remove(probe)
	}
	if err != nil {
		return connectors.Finding{Subject: "done", Detail: fmt.Sprintf("nothing can be written in %s: %v", folder, err), Hint: "let the user under which dirsyncd runs write in the folder"}
	}
	return f
}

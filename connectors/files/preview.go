package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"dirsyncd/connectors/files/internal/tables"
	"dirsyncd/sync/fault"
)

// PreviewOptions say what is to be looked at.
type PreviewOptions struct {
	// Kind is what the rows are: customer, site, person, group, member, licence or device.
	Kind string
	// Config is the block of the connection whose layout holds; nil: columns mean what they are called.
	Config *Config
	// Rows and Problems are how many are shown of each sheet at most.
	Rows, Problems int
}

// Preview reads a file to its end, as a connection would, and says how it was understood. It changes nothing. The survey holds
// as much as could be read when there is an error, which is a *fault.Error.
func Preview(ctx context.Context, file string, o PreviewOptions) (*Survey, error) {
	const op = "preview"
	cfg := o.Config
	if cfg == nil {
		cfg = Defaults()
	}
	kinds := map[string]Kind{}
	for word, k := range cfg.Kinds {
		kinds[word] = k
	}
	block := kinds[o.Kind]
	kinds[o.Kind] = block
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, fileFault(op, filepath.Dir(file), err)
	}
	defer func() { _ = root.Close() }()
	name := filepath.Base(file)
	info, err := root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = &tables.Unfit{Reason: "is no file"}
	}
	if err != nil {
		return nil, fileFault(op, file, err)
	}
	opened, err := openFile(root, found{name: name, look: lookAt(info)}, int64(cfg.Limits.Size))
	if err != nil {
		return nil, fileFault(op, file, err)
	}
	defer func() { _ = opened.Close() }()
	v := &surveyor{ctx: ctx, rows: o.Rows, problems: o.Problems, whole: true}
	err = v.source(&source{file: opened, word: o.Kind, kind: &block, limits: cfg.tableLimits(), rows: cfg.Limits.Rows, layouts: newLayouts(kinds)})
	v.survey.File = file
	if err == nil || ctx.Err() != nil {
		return &v.survey, ctx.Err()
	}
	err = fileFault(op, file, err)
	var f *fault.Error
	if errors.As(err, &f) && f.Op == "" {
		f.Op = op
	}
	return &v.survey, err
}

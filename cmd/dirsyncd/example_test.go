package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/config"
	"dirsyncd/sync/targets/file"
)

// The example at the root is for the connectors and targets as they are.
func TestExampleConfiguration(t *testing.T) {
	t.Setenv("LDAP_PASSWORD", "secret")
	cfg, err := config.Load("../../config.yaml", parts().Config())
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Connections) == 0 || len(cfg.Targets) == 0 || len(cfg.Warnings) > 0 {
		t.Errorf("connections %d, targets %d, warnings %v", len(cfg.Connections), len(cfg.Targets), cfg.Warnings)
	}
}

// What the example writes lies where the systemd unit lets the service write, and where the journal is rotated: whoever
// follows the README has a journal.
func TestExampleFitsTheUnit(t *testing.T) {
	t.Setenv("LDAP_PASSWORD", "secret")
	cfg, err := config.Load("../../config.yaml", parts().Config())
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("../../packaging", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	unit := read("systemd/dirsyncd.service")
	folder := func(key, root string) string {
		_, rest, _ := strings.Cut(unit, "\n"+key+"=")
		name, _, _ := strings.Cut(rest, "\n")
		return filepath.Join(root, name)
	}
	if got, want := filepath.Dir(string(cfg.State)), folder("StateDirectory", "/var/lib"); got != want {
		t.Errorf("the state lies in %s, the service may write in %s", got, want)
	}
	logs := folder("LogsDirectory", "/var/log")
	for _, target := range cfg.Targets {
		block, ok := target.Block.(*file.Config)
		if !ok {
			continue
		}
		if got := filepath.Dir(block.Path); got != logs {
			t.Errorf("target %s writes in %s, the service may write in %s", target.Name, got, logs)
		}
		if pattern := filepath.Join(logs, "*"+filepath.Ext(block.Path)); !strings.Contains(read("logrotate.d/dirsyncd"), pattern) {
			t.Errorf("nothing rotates %s", pattern)
		}
	}
}

// The unit for several workers on one host differs from the other one in what tells them apart, and in nothing that keeps them in.
func TestTemplateUnit(t *testing.T) {
	lines := func(name string) (list []string) {
		text, err := os.ReadFile(filepath.Join("../../packaging/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				list = append(list, line)
			}
		}
		return list
	}
	one, many := lines("dirsyncd.service"), lines("dirsyncd@.service")
	without := func(list, other []string) (left []string) {
		for _, line := range list {
			if !slices.Contains(other, line) {
				left = append(left, line)
			}
		}
		return left
	}
	if got := without(one, many); !slices.Equal(got, []string{"Description=Directory sync worker", "ExecStart=/usr/bin/dirsyncd run --config /etc/dirsyncd/config.yaml", "RuntimeDirectory=dirsyncd"}) {
		t.Errorf("the template lacks %q", got)
	}
	const start = "ExecStart=/usr/bin/dirsyncd run --config /etc/dirsyncd/config.yaml --worker %i --control /run/dirsyncd-%i/control.sock $DIRSYNCD_OPTIONS"
	if got := without(many, one); !slices.Equal(got, []string{"Description=Directory sync worker %i", "EnvironmentFile=-/etc/dirsyncd/%i.env", start, "RuntimeDirectory=dirsyncd-%i"}) {
		t.Errorf("the template has more: %q", got)
	}
	flagsExist(t, strings.Fields(start)[1:])
}

// flagsExist demands that the program knows the flags of a command line.
func flagsExist(t *testing.T, args []string) {
	t.Helper()
	root := newRoot(newCLI(io.Discard, io.Discard))
	cmd, _, err := root.Find(args)
	if err != nil || cmd.Name() != "run" {
		t.Fatalf("%v: %v", args, err)
	}
	for _, arg := range args {
		if name, is := strings.CutPrefix(arg, "--"); is && cmd.Flag(name) == nil && root.PersistentFlags().Lookup(name) == nil {
			t.Errorf("there is no flag --%s", name)
		}
	}
}

// The compose file is YAML, its workers are told apart, and what it names is there.
func TestComposeFile(t *testing.T) {
	text, err := os.ReadFile("../../packaging/compose/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type service struct {
		Command, Secrets, Ports, Volumes []string
		DependsOn                        map[string]any `yaml:"depends_on"`
		Restart                          string
	}
	var file struct {
		Services         map[string]service
		Volumes, Secrets map[string]any
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	ports := map[string]bool{}
	for _, name := range []string{"north", "south"} {
		s := file.Services[name]
		if len(s.Command) < 2 || s.Command[len(s.Command)-1] != name || s.Restart == "" {
			t.Errorf("%s: %+v", name, s)
			continue
		}
		flagsExist(t, s.Command)
		for needs := range s.DependsOn {
			if _, is := file.Services[needs]; !is {
				t.Errorf("%s needs %s, which there is not", name, needs)
			}
		}
		for _, p := range s.Ports {
			if host := p[:strings.LastIndex(p, ":")]; ports[host] || !strings.HasPrefix(host, "127.0.0.1:") {
				t.Errorf("%s: port %s", name, p)
			} else {
				ports[host] = true
			}
		}
	}
	for name, s := range file.Services {
		for _, secret := range s.Secrets {
			if _, is := file.Secrets[secret]; !is {
				t.Errorf("%s: there is no secret %s", name, secret)
			}
		}
		for _, v := range s.Volumes {
			if from, _, _ := strings.Cut(v, ":"); !strings.HasPrefix(from, ".") && len(file.Volumes) > 0 {
				if _, is := file.Volumes[from]; !is {
					t.Errorf("%s: there is no volume %s", name, from)
				}
			}
		}
	}
}

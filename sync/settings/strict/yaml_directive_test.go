package strict

import "testing"

func TestVersionDirective(t *testing.T) {
	for text, good := range map[string]bool{
		"%YAML 1.2\n---\na: 1\n": true, "%YAML 1.1\n---\na: 1\n": true, "# c\n%YAML 1.2 # d\n--- \na: 1\n...\n": true,
		"%TAG !x! tag:x\n%YAML   1.2\n---\na: 1\n": true, "%YAML 1.2\r\n---\r\na: 1\r\n": true, "\ufeff%YAML 1.2\n---\na: 1\n": true,
		"%YAML 1.3\n---\na: 1\n": true, "%YAML 2.0\n---\na: 1\n": false, "%YAML\n---\na: 1\n": false, "a: |\n  %YAML 1.2\n": true,
	} {
		if d := Parse([]byte(text), Options{}); (len(d.Problems()) == 0) != good {
			t.Errorf("%q: %v", text, d.Problems())
		}
	}
	if got := string(asVersion11([]byte("a: |\n  %YAML 1.2\n"))); got != "a: |\n  %YAML 1.2\n" {
		t.Errorf("a value became %q", got)
	}
}

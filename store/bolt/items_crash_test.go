package bolt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
)

// TestItemsKilled kills a process again and again while several of its goroutines use items together. What it was told is so:
// what was put is there, what was taken is gone for good, and what was used once is used.
func TestItemsKilled(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	path := filepath.Join(t.TempDir(), "state.db")
	rnd := rand.New(rand.NewPCG(2, 2))
	for round := range rounds {
		told := useAndKill(t, path, 20+rnd.IntN(100))
		s, err := bolt.Open(path, bolt.Options{LockTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		checkItems(t, s, round, told)
		if err := errors.Join(s.Verify(t.Context()), s.Close(), bboltCheck(t, path)); err != nil {
			t.Fatal(err)
		}
	}
}

// checkItems checks what a child was told, by lines of an act and a key.
func checkItems(t *testing.T, s *bolt.Store, round int, told []string) {
	t.Helper()
	items := s.Items()
	taken := map[string]bool{}
	for _, line := range told {
		if act, key, _ := strings.Cut(line, " "); act == "took" {
			if taken[key] {
				t.Errorf("round %d: %s was taken twice", round, key)
			}
			taken[key] = true
		}
	}
	for _, line := range told {
		act, key, _ := strings.Cut(line, " ")
		_, there, err := items.Get(t.Context(), "code", []byte(key))
		switch {
		case err != nil:
			t.Fatal(err)
		case act == "put" && !there && !taken[key]:
			// The take of a key whose put was told may have been durable, and not told: the owner says so then.
			if _, gone, err := items.Get(t.Context(), "begun", []byte(key)); err != nil || !gone {
				t.Errorf("round %d: %s was put and is not there, %v", round, key, err)
			}
		case act == "took" && there:
			t.Errorf("round %d: %s was taken and is there", round, key)
		case act == "once":
			if fresh, err := items.Once(t.Context(), []byte(key), time.Unix(1e9, 0)); err != nil || fresh {
				t.Errorf("round %d: %s was used and is fresh, %v", round, key, err)
			}
		}
	}
}

// useAndKill lets a child use items, kills it after it has told so many lines, and returns what it told.
func useAndKill(t *testing.T, path string, after int) (told []string) {
	t.Helper()
	cmd := child(t, "TestItemsUser", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if word, ok := strings.CutPrefix(lines.Text(), "items "); ok && strings.HasSuffix(word, ".") {
			if told = append(told, strings.TrimSuffix(word, ".")); len(told) == after {
				if err := cmd.Process.Kill(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return told
}

// TestItemsUser is the child: it uses items until it is killed.
func TestItemsUser(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		t.Skip("runs as a child of TestItemsKilled")
	}
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	for worker := range 6 {
		done.Go(func() {
			for i := 0; ; i++ {
				if err := useItems(t.Context(), s.Items(), fmt.Sprint(os.Getpid(), "/", worker, "/", i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
}

// useItems puts a code, says that its take begins, takes it and uses it once, and tells what was confirmed.
func useItems(ctx context.Context, items store.Items, key string) error {
	tell := func(act string) error { _, err := fmt.Fprintf(os.Stdout, "items %s %s.\n", act, key); return err }
	k := []byte(key)
	if err := items.Put(ctx, "code", store.Item{Key: k, Owners: [][]byte{[]byte("ann")}, Until: time.Unix(1e9, 0)}); err != nil {
		return err
	}
	if err := errors.Join(tell("put"), items.Put(ctx, "begun", store.Item{Key: k})); err != nil {
		return err
	}
	if _, ok, err := items.Take(ctx, "code", k); err != nil || !ok {
		return fmt.Errorf("taken: %v, %w", ok, err)
	}
	if err := tell("took"); err != nil {
		return err
	}
	if fresh, err := items.Once(ctx, k, time.Unix(1e9, 0)); err != nil || !fresh {
		return fmt.Errorf("fresh: %v, %w", fresh, err)
	}
	return tell("once")
}

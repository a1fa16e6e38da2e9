package batch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// tree makes files in a folder, and returns it.
func tree(t testing.TB, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(name), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func openDisk(t testing.TB, dir string) *Disk {
	t.Helper()
	d, err := OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestListFindsFilesFoldersAndGlobs(t *testing.T) {
	dir := tree(t, "a.csv", "b/c.parquet", "b/d/e.jsonl.gz", "b/_SUCCESS", "b/.hidden.csv", "b/_temporary/f.csv", "b/notes.txt", "b2/g.csv", "day=1/p.csv", "day=2/p.csv")
	d := openDisk(t, dir)
	for pattern, want := range map[string]string{
		"a.csv":                          "a.csv",
		"./a.csv":                        "a.csv",
		"b":                              "b/c.parquet b/d/e.jsonl.gz",
		"b/":                             "b/c.parquet b/d/e.jsonl.gz",
		"b/*.parquet":                    "b/c.parquet",
		"day=*/p.csv":                    "day=1/p.csv day=2/p.csv",
		"day=*":                          "day=1/p.csv day=2/p.csv",
		"b?/*":                           "b2/g.csv",
		"b/notes.txt":                    "b/notes.txt", // who names it gets the error of reading it
		filepath.Join(dir, "b", "*.txt"): "b/notes.txt",
		filepath.Join(dir, "a.csv"):      "a.csv",
	} {
		files, err := d.List(t.Context(), pattern)
		var names []string
		for _, f := range files {
			names = append(names, f.Name)
			if f.SizeBytes != int64(len(f.Name)) || f.Modified.IsZero() {
				t.Errorf("%s is said to have %d bytes of %v", f.Name, f.SizeBytes, f.Modified)
			}
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s names %q, %v; want %q", pattern, got, err, want)
		}
	}
	for _, pattern := range []string{"none.csv", "none/*", "b/*.csv", "b/_temporary", "[", ""} {
		if files, err := d.List(t.Context(), pattern); err == nil && (pattern != "" && pattern != "b/_temporary") {
			t.Errorf("%q names %v", pattern, files)
		}
	}
}

// TestNothingOutsideIsOpened is BA5.
func TestNothingOutsideIsOpened(t *testing.T) {
	outside := tree(t, "secret.csv")
	dir := tree(t, "in/a.csv")
	for link, to := range map[string]string{
		"file.csv": filepath.Join(outside, "secret.csv"), "folder": outside, "up": "..", "in/rel.csv": "../../" + filepath.Base(outside) + "/secret.csv",
		"in/good.csv": "a.csv",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	d := openDisk(t, dir)
	for _, pattern := range []string{
		"../" + filepath.Base(outside) + "/secret.csv", "in/../../x", outside + "/secret.csv", "/etc/passwd", "file.csv", "folder", "folder/secret.csv",
		"folder/*", "fol*/*.csv", "up/" + filepath.Base(outside) + "/secret.csv", "in/rel.csv", "in", "in/*",
	} {
		files, err := d.List(t.Context(), pattern)
		if err == nil || !strings.Contains(err.Error(), "folder that batch sources are read from") {
			t.Errorf("%s names %v, and the error is %v", pattern, files, err)
		}
		if f, err := d.Open(t.Context(), pattern); err == nil {
			info, _ := f.Stat()
			f.Close()
			if !info.IsDir() {
				t.Errorf("%s was opened", pattern)
			}
		}
	}
	if _, err := d.Open(t.Context(), "in/good.csv"); err != nil {
		t.Errorf("a link within the folder gives %v", err)
	}
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := tree(t, "a.csv")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.csv"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := openDisk(t, dir)
	for _, name := range []string{"pipe.csv", "."} {
		if _, err := d.Open(t.Context(), name); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s gives %v", name, err)
		}
	}
	if _, err := d.Open(t.Context(), "none.csv"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none.csv gives %v", err)
	}
}

func TestFoldersThatLeadIntoThemselvesEnd(t *testing.T) {
	dir := tree(t, "in/a.csv")
	if err := os.Symlink(".", filepath.Join(dir, "in/self")); err != nil {
		t.Fatal(err)
	}
	if _, err := openDisk(t, dir).List(t.Context(), "in"); err == nil {
		t.Error("there was an end to it")
	}
}

func TestNoPermissionIsAnError(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("the superuser may read everything")
	}
	dir := tree(t, "in/a.csv", "b.csv")
	if err := errors.Join(os.Chmod(filepath.Join(dir, "in"), 0), os.Chmod(filepath.Join(dir, "b.csv"), 0)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "in"), 0o700) })
	d := openDisk(t, dir)
	if _, err := d.List(t.Context(), "in/*.csv"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a folder that may not be read gives %v", err)
	}
	if _, err := d.Open(t.Context(), "b.csv"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a file that may not be read gives %v", err)
	}
}

func TestSumsAreOfAllAndOfTheBeginning(t *testing.T) {
	text := slices.Repeat([]byte("0123456789abcdef"), 200_000) // more than one buffer
	path := filepath.Join(t.TempDir(), "a")
	for _, first := range []int64{0, 1, 1 << 20, 1<<20 + 1, int64(len(text)) - 1, int64(len(text))} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		all, part, err := sums(t.Context(), f, first)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if err := os.WriteFile(path, text[:first], 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err = os.Open(path); err != nil {
			t.Fatal(err)
		}
		want, _, err := sums(t.Context(), f, 0)
		_ = f.Close()
		if err != nil || first > 0 && !slices.Equal(part, want) || first == 0 && part != nil || first == int64(len(text)) && !slices.Equal(all, part) {
			t.Errorf("the sum of the first %d bytes is %x, want %x, %v", first, part, want, err)
		}
	}
}

package install

import (
	"bufio"
	"bytes"
	"database/sql"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/goccy/go-yaml"

	"constat/internal/lab"
)

// TestContainer builds what the Containerfile says without a container engine,
// puts it where nothing else is, and runs it there as the compose file says:
// as nobody, on a disk that can't be written, beside a PostgreSQL of which it has
// nothing but the socket.
func TestContainer(t *testing.T) {
	lab.Need(t, "root, to run it in a directory of its own", os.Geteuid() == 0)
	source := filepath.Join("..", "..", "..")
	text, err := os.ReadFile(filepath.Join(source, "installers", "container", "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Command     []string
			Environment map[string]string
			Ports       []string
			Volumes     []string
			Build       struct{ Context, Dockerfile string }
		}
		Volumes map[string]any
	}
	content, err := os.ReadFile(filepath.Join(source, "installers", "container", "compose.yaml"))
	if err == nil {
		err = yaml.Unmarshal(content, &compose)
	}
	if err != nil {
		t.Fatal(err)
	}
	collector, database := compose.Services["collector"], compose.Services["database"]
	if _, err := os.Stat(filepath.Join(source, "installers", "container", collector.Build.Context, collector.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	for _, s := range compose.Services {
		for _, v := range s.Volumes {
			if name, _, _ := strings.Cut(v, ":"); !hasKey(compose.Volumes, name) {
				t.Errorf("volume %s is not declared", name)
			}
		}
	}

	// The steps of the first stage, with its /image in a directory of ours.
	image := t.TempDir()
	if err := os.Chmod(image, 0o755); err != nil {
		t.Fatal(err)
	}
	environment := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	for line := range strings.Lines(string(text)) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "RUN":
			cmd := exec.Command("sh", "-ec", strings.ReplaceAll(rest, "/image", image))
			cmd.Dir = source
			cmd.Env = append(os.Environ(), "VERSION=1.0.0", "COMMIT=0123456789ab")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", rest, err, out)
			}
		case "ENV":
			environment = append(environment, strings.Fields(rest)...)
		case "EXPOSE":
			for _, port := range strings.Fields(rest) {
				if !strings.Contains(strings.Join(collector.Ports, " ")+" ", port+":"+port) {
					t.Errorf("port %s is not handed on: %q", port, collector.Ports)
				}
			}
		}
	}

	for name, value := range collector.Environment {
		environment = append(environment, name+"="+regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllString(value, "localhost"))
	}
	server, err := url.Parse(lab.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", server.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{"CREATE ROLE " + database.Environment["POSTGRES_USER"] + " LOGIN", "CREATE DATABASE " + database.Environment["POSTGRES_DB"] + " OWNER " + database.Environment["POSTGRES_USER"]} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}

	// A network of its own, so that its ports are free; and a disk that can't be
	// written but for what the compose file hands in.
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--net", "sh", "-ec", `
		mount --make-rprivate /
		ip link set lo up
		mount --bind "$1" "$1"
		mkdir -p "$1/var/run/postgresql"
		mount -t tmpfs tmpfs "$1/var/run/postgresql"
		touch "$1/var/run/postgresql/.s.PGSQL.5432"
		mount --bind "$2/.s.PGSQL.5432" "$1/var/run/postgresql/.s.PGSQL.5432"
		mount -t tmpfs tmpfs "$1/tmp"
		mount -t tmpfs -o uid=65532,gid=65532,mode=700 keys "$1/var/lib/constat-collector"
		mount -o remount,bind,ro "$1"
		image=$1
		shift 2
		exec chroot --userspec=65532:65532 --groups= "$image" "$@"`, "sh", image, server.Query().Get("host"), "/usr/bin/constat-collector", "serve")
	cmd.Env = environment
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	var log bytes.Buffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	// Its first words are how to sign in, and come when it serves.
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if want := "https://localhost:7480/"; err != nil || !strings.Contains(line, want) {
		t.Errorf("it says %q, want an address like %s; %v", line, want, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil || t.Failed() {
		t.Fatalf("it ends: %v\n%s", err, log.String())
	}
	if said := log.String(); !strings.Contains(said, `"agents":"[::]:7400"`) || !strings.Contains(strings.ToLower(said), `"database":"postgres`) {
		t.Errorf("it serves otherwise than it was told:\n%s", said)
	}
}

func hasKey(m map[string]any, key string) bool { _, ok := m[key]; return ok }

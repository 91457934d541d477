//go:build linux

package lab

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// postgresBin is where Debian keeps the server's programs, which are not on PATH.
const postgresBin = "/usr/lib/postgresql/15/bin"

var (
	postgresServer = sync.OnceValues(startPostgres)
	databases      atomic.Int32
)

// Postgres gives the test an empty database of its own, as a postgres:// url. The
// server behind it is PostgreSQL 15 without durability, started by the first test
// of the program that asks, reachable over a socket in a temporary directory only,
// and gone when the program ends, however it ends. Started by root, it runs as the
// user postgres, since it refuses to run as root.
func Postgres(t testing.TB) string {
	t.Helper()
	_, err := os.Stat(filepath.Join(postgresBin, "postgres"))
	Need(t, "postgresql-15", err == nil)
	running, err := postgresServer()
	if err != nil {
		t.Fatalf("PostgreSQL does not start: %v", err)
	}
	name := fmt.Sprintf("test%d", databases.Add(1))
	admin, err := sql.Open("pgx", postgresURL(running.socket, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'fr'"); err != nil {
		t.Fatal(err)
	}
	return postgresURL(running.socket, name)
}

func postgresURL(socket, database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(socket)
}

// postgres is a server at work.
type postgres struct {
	// socket is the directory of its socket.
	socket string
	// life ends the server when this program ends, which closes it.
	life io.WriteCloser
}

// startPostgres starts a server.
func startPostgres() (postgres, error) {
	dir, err := os.MkdirTemp("", "constat-pg-")
	if err != nil {
		return postgres{}, err
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		account, err := user.Lookup("postgres")
		if err != nil {
			return postgres{}, err
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return postgres{}, err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	var said bytes.Buffer
	initdb := exec.Command(filepath.Join(postgresBin, "initdb"), "--pgdata", dir+"/data", "--username", "postgres",
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr, initdb.Stdout, initdb.Stderr = dir, attr, &said, &said
	if err := initdb.Run(); err != nil {
		return postgres{}, fmt.Errorf("initdb: %w: %s", err, said.String())
	}
	// The shell outlives this program: its standard input closes when the
	// program ends, by an exit, a panic or a kill, and it cleans up.
	server := exec.Command("/bin/sh", "-c", `
		"$0"/postgres -D "$1"/data -k "$1" -c listen_addresses= -c fsync=off -c full_page_writes=off \
			-c synchronous_commit=off -c max_connections=300 -c shared_buffers=32MB >"$1"/log 2>&1 &
		cat >/dev/null
		kill -QUIT $!
		wait
		rm -rf "$1"`, postgresBin, dir)
	server.Dir, server.SysProcAttr = "/", attr
	life, err := server.StdinPipe()
	if err != nil {
		return postgres{}, err
	}
	if err := server.Start(); err != nil {
		return postgres{}, err
	}
	return postgres{socket: dir, life: life}, waitForPostgres(dir)
}

// waitForPostgres waits until the server takes connections.
func waitForPostgres(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	db, err := sql.Open("pgx", postgresURL(dir, "postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			return fmt.Errorf("%w; its log: %s", err, log)
		case <-retry.C:
		}
	}
}

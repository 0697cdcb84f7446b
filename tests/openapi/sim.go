// The simulator as a child process, and plain requests to it.
package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	projectID  = "6e5c1a52-8b0f-4d2a-9a53-0c8d1f9a7b10"
	siblingID  = "11111111-2222-4333-8444-555555555555" // another project of the same account
	strangerID = "99999999-2222-4333-8444-555555555555" // a project of another account
	metroID    = "932eecda-6808-44b9-a3be-3abef49796ef"

	userToken    = "user-token"
	projectToken = "project-token"
	readerToken  = "reader-token"
	revokedToken = "revoked-token"
)

var tokens = []string{userToken, projectToken, readerToken, revokedToken}

type sim struct {
	cmd    *exec.Cmd
	dir    string
	url    string
	admin  string
	client *http.Client // trusts the simulator's certificate and nothing else
}

// answer is one answer of the API with the request that brought it.
type answer struct {
	request *http.Request
	status  int
	header  http.Header
	body    []byte
}

func startSim(program, prefix string) (*sim, error) {
	dir, err := os.MkdirTemp("", "openapi-")
	if err != nil {
		return nil, err
	}
	s := &sim{dir: dir}
	s.cmd = exec.Command(program, "--die-with-parent", "--prefix="+prefix, "--tls-self-signed="+dir,
		"--project="+projectID+":dev", "--project="+siblingID+":other", "--project="+strangerID+":far:foreign",
		"--token="+userToken, "--token="+projectToken+":project:"+projectID,
		"--token="+readerToken+":read-only:"+projectID, "--token="+revokedToken+":revoked")
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	var ready struct{ URL, AdminURL, CAFile string }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("no ready line: %w", err), s.stop())
	}
	pem, err := os.ReadFile(ready.CAFile)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	s.url, s.admin = ready.URL, ready.AdminURL
	s.client = &http.Client{
		Timeout:       time.Minute, // far beyond any answer; a hang must not hold up the run for ever
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 4},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

func (s *sim) stop() error {
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if err == nil {
		err = s.cmd.Wait()
	}
	os.RemoveAll(s.dir)
	return err
}

func (s *sim) call(token, method, path, body string) (*answer, error) {
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("X-Auth-Token", token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("User-Agent", "openapi-check/1")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return &answer{request, response.StatusCode, response.Header, data}, err
}

// ask sends one request to the administrative path and decodes the answer; it must be a success.
func (s *sim) ask(method, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, s.admin+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err = io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, data)
	}
	if into != nil {
		return json.Unmarshal(data, into)
	}
	return nil
}

// newKey is a public key line that no other call returned.
func newKey() string {
	blob := binary.BigEndian.AppendUint32(nil, 11)
	blob = append(blob, "ssh-ed25519"...)
	blob = binary.BigEndian.AppendUint32(blob, 32)
	point := make([]byte, 32)
	rand.Read(point)
	return "ssh-ed25519 " + base64.StdEncoding.EncodeToString(append(blob, point...)) + " someone@example.invalid"
}

// The validator itself: answers that the simulator is told to break must be found.
package main

import (
	"errors"
	"fmt"
)

const keyURL = "/ssh-keys/KEY"

var broken = []struct {
	name, path string
	fault      map[string]any
}{
	{"id is a number", keyURL, map[string]any{"status": 200, "raw": `{"id":7}`}},
	{"id is no UUID", keyURL, map[string]any{"status": 200, "raw": `{"id":"x"}`}},
	{"date is no date", keyURL, map[string]any{"status": 200, "raw": `{"created_at":"yesterday"}`}},
	{"date with a fraction", keyURL, map[string]any{"status": 200, "raw": `{"created_at":"2020-01-01T00:00:00.5Z"}`}},
	{"tags are no list", keyURL, map[string]any{"status": 200, "raw": `{"tags":"t"}`}},
	{"key without most members", keyURL, map[string]any{"status": 200, "raw": `{"fingerprint":"00"}`}},
	{"owner without href", keyURL, map[string]any{"status": 200, "raw": `{"owner":{}}`}},
	{"href below another prefix", keyURL, map[string]any{"status": 200, "raw": `{"href":"https://elsewhere/x"}`}},
	{"key without id", keyURL, map[string]any{"answer": "no-id"}},
	{"members are null", keyURL, map[string]any{"answer": "nulls"}},
	{"list is an object", projectKeys, map[string]any{"status": 200, "raw": `{"ssh_keys":{}}`}},
	{"list holds a string", projectKeys, map[string]any{"status": 200, "raw": `{"ssh_keys":["x"]}`}},
	{"meta with a null link", projectKeys, map[string]any{"status": 200, "raw": `{"ssh_keys":[],"meta":{"next":null}}`}},
	{"body is cut off", projectKeys, map[string]any{"answer": "truncated"}},
	{"body is a page", projectKeys, map[string]any{"status": 200, "answer": "html"}},
	{"no X-Request-Id", projectKeys, map[string]any{"status": 404, "requestId": false}},
	{"errors is a string", projectKeys, map[string]any{"status": 500, "answer": "errors-text"}},
	{"errors is empty", projectKeys, map[string]any{"status": 500, "answer": "errors-empty"}},
	{"error is null", projectKeys, map[string]any{"status": 500, "answer": "error-null"}},
	{"error is a list", projectKeys, map[string]any{"status": 500, "answer": "array"}},
	{"problem+json", projectKeys, map[string]any{"status": 500, "answer": "problem"}},
	{"401 in the other form", projectKeys, map[string]any{"status": 401, "raw": `{"errors":["x"]}`}},
	{"error without a body", projectKeys, map[string]any{"status": 500, "answer": "empty"}},
	{"a status of success that is not documented", projectKeys, map[string]any{"status": 206, "raw": `{}`}},
}

func checkValidator(r *report, s *sim, v *validator) {
	for _, b := range broken {
		w, err := newWorld(s)
		err = errors.Join(err, s.ask("POST", "/faults", map[string]any{"fault": b.fault}, nil))
		var a *answer
		if err == nil {
			a, err = s.call(userToken, "GET", w.fill(b.path), "")
		}
		var found error
		if err == nil {
			found = v.answer(a, "")
		}
		if err == nil && found == nil {
			err = fmt.Errorf("passed as a right answer: %d %s", a.status, a.body)
		}
		r.check("broken answer is found: "+b.name, err)
	}
}

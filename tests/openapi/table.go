// The requests: one table over all operations and answers, the faults whose answers are the API's own, and every switch.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// row is one request. In path and body, KEY is a key of the project, USERKEY one of the user, FOREIGN one that is
// out of reach, FRESH a key line never used before, USED the line of KEY.
type row struct {
	name, token, method, path, body string
	status                          int
	schema                          string // of a success that the document does not have
}

const projectKeys = "/projects/" + projectID + "/ssh-keys"
const create = `{"label":"made","key":"FRESH"}`
const unknownID = "3f0c9b7e-54d1-4a0e-8f0a-2b6a5a1d9c44"

var table = []row{
	{"list of a project", userToken, "GET", projectKeys, "", 200, ""},
	{"list, empty include", userToken, "GET", projectKeys + "?include=", "", 200, ""},
	{"list, query", userToken, "GET", projectKeys + "?query=first", "", 200, ""},
	{"list of an empty project", userToken, "GET", "/projects/" + siblingID + "/ssh-keys", "", 200, ""},
	{"list, project token", projectToken, "GET", projectKeys, "", 200, ""},
	{"list, no token", "", "GET", projectKeys, "", 401, ""},
	{"list, unknown token", "nobody", "GET", projectKeys, "", 401, ""},
	{"list, revoked token", revokedToken, "GET", projectKeys, "", 401, ""},
	{"list of an unknown project", userToken, "GET", "/projects/" + unknownID + "/ssh-keys", "", 404, ""},
	{"list of a foreign project", userToken, "GET", "/projects/" + strangerID + "/ssh-keys", "", 404, ""},
	{"list of no project", userToken, "GET", "/projects/not-a-uuid/ssh-keys", "", 404, ""},
	{"create", userToken, "POST", projectKeys, create, 201, ""},
	{"create, project token", projectToken, "POST", projectKeys, create, 201, ""},
	{"create with tags", userToken, "POST", projectKeys, `{"label":"l","key":"FRESH","tags":["a","b"]}`, 201, ""},
	{"create, line with its newline", userToken, "POST", projectKeys, `{"label":"l","key":"FRESH\n"}`, 201, ""},
	{"create, read-only token", readerToken, "POST", projectKeys, create, 403, ""},
	{"create, revoked token", revokedToken, "POST", projectKeys, create, 401, ""},
	{"create, known key", userToken, "POST", projectKeys, `{"label":"l","key":"USED"}`, 422, ""},
	{"create, no key", userToken, "POST", projectKeys, `{"label":"l"}`, 422, ""},
	{"create, no label", userToken, "POST", projectKeys, `{"key":"FRESH"}`, 422, ""},
	{"create, no JSON", userToken, "POST", projectKeys, `{`, 422, ""},
	{"create, unknown project", userToken, "POST", "/projects/" + unknownID + "/ssh-keys", create, 404, ""},
	{"list of the user", userToken, "GET", "/ssh-keys", "", 200, ""},
	{"list of the user, search", userToken, "GET", "/ssh-keys?search=mine", "", 200, ""},
	{"list of the user, project token", projectToken, "GET", "/ssh-keys", "", 200, ""},
	{"list of the user, revoked token", revokedToken, "GET", "/ssh-keys", "", 401, ""},
	{"create for the user", userToken, "POST", "/ssh-keys", create, 201, ""},
	{"create for the user, project token", projectToken, "POST", "/ssh-keys", create, 403, ""},
	{"create for the user, revoked token", revokedToken, "POST", "/ssh-keys", create, 401, ""},
	{"create for the user, bad key", userToken, "POST", "/ssh-keys", `{"label":"l","key":"x"}`, 422, ""},
	{"read", userToken, "GET", "/ssh-keys/KEY", "", 200, ""},
	{"read, empty include", userToken, "GET", "/ssh-keys/KEY?include=", "", 200, ""},
	{"read, project token", projectToken, "GET", "/ssh-keys/KEY", "", 200, ""},
	{"read, the user's", userToken, "GET", "/ssh-keys/USERKEY", "", 200, ""},
	{"read, the user's, project token", projectToken, "GET", "/ssh-keys/USERKEY", "", 404, ""},
	{"read, revoked token", revokedToken, "GET", "/ssh-keys/KEY", "", 401, ""},
	{"read, unknown", userToken, "GET", "/ssh-keys/" + unknownID, "", 404, ""},
	{"read, foreign", userToken, "GET", "/ssh-keys/FOREIGN", "", 404, ""},
	{"change label", userToken, "PUT", "/ssh-keys/KEY", `{"label":"first, again"}`, 200, ""},
	{"change tags", userToken, "PUT", "/ssh-keys/KEY", `{"tags":["t"]}`, 200, ""},
	{"change key", userToken, "PUT", "/ssh-keys/KEY", `{"key":"FRESH"}`, 200, ""},
	{"change nothing", userToken, "PUT", "/ssh-keys/KEY", "", 200, ""},
	{"change, PATCH", userToken, "PATCH", "/ssh-keys/KEY", `{"label":"first"}`, 200, "SSHKey"},
	{"change, bad key", userToken, "PUT", "/ssh-keys/KEY", `{"key":"x"}`, 422, ""},
	{"change, read-only token", readerToken, "PUT", "/ssh-keys/KEY", `{"label":"x"}`, 403, ""},
	{"change, revoked token", revokedToken, "PUT", "/ssh-keys/KEY", `{"label":"x"}`, 401, ""},
	{"change, unknown", userToken, "PUT", "/ssh-keys/" + unknownID, `{"label":"x"}`, 404, ""},
	{"delete, read-only token", readerToken, "DELETE", "/ssh-keys/KEY", "", 403, ""},
	{"delete, revoked token", revokedToken, "DELETE", "/ssh-keys/KEY", "", 401, ""},
	{"delete, foreign", userToken, "DELETE", "/ssh-keys/FOREIGN", "", 404, ""},
	{"projects", userToken, "GET", "/projects", "", 200, ""},
	{"projects, a page", userToken, "GET", "/projects?per_page=1&page=2", "", 200, ""},
	{"projects, by name", userToken, "GET", "/projects?name=dev", "", 200, ""},
	{"projects, expanded", userToken, "GET", "/projects?include=ssh_keys", "", 200, ""},
	{"projects, project token", projectToken, "GET", "/projects", "", 200, ""},
	{"projects, revoked token", revokedToken, "GET", "/projects", "", 401, ""},
	{"project", userToken, "GET", "/projects/" + projectID, "", 200, ""},
	{"project, project token", projectToken, "GET", "/projects/" + projectID, "", 404, ""},
	{"project, revoked token", revokedToken, "GET", "/projects/" + projectID, "", 401, ""},
	{"project, unknown", userToken, "GET", "/projects/" + unknownID, "", 404, ""},
	{"change project", userToken, "PUT", "/projects/" + siblingID,
		`{"name":"renamed","tags":["t"],"customdata":{"a":1},"backend_transfer_enabled":true}`, 200, ""},
	{"change project, name alone", userToken, "PUT", "/projects/" + siblingID, `{"name":"other"}`, 200, ""},
	{"change project, no name", userToken, "PUT", "/projects/" + siblingID, `{"name":""}`, 422, ""},
	{"change project, project token", projectToken, "PUT", "/projects/" + projectID, `{"name":"dev"}`, 404, ""},
	{"change project, foreign", userToken, "PUT", "/projects/" + strangerID, `{"name":"mine"}`, 404, ""},
	{"change project, revoked token", revokedToken, "PUT", "/projects/" + projectID, `{}`, 401, ""},
	{"delete project, foreign", userToken, "DELETE", "/projects/" + strangerID, "", 404, ""},
	{"delete project, revoked token", revokedToken, "DELETE", "/projects/" + siblingID, "", 401, ""},
	{"delete project", userToken, "DELETE", "/projects/" + siblingID, "", 204, ""},
	{"delete project again", userToken, "DELETE", "/projects/" + siblingID, "", 404, ""},
	{"user", userToken, "GET", "/user", "", 200, ""},
	{"user, project token", projectToken, "GET", "/user", "", 403, ""},
	{"user, revoked token", revokedToken, "GET", "/user", "", 401, ""},
	{"metros", userToken, "GET", "/locations/metros", "", 200, ""},
	{"metros, project token", projectToken, "GET", "/locations/metros", "", 403, ""},
	{"metros, revoked token", revokedToken, "GET", "/locations/metros", "", 401, ""},
	{"metro", userToken, "GET", "/locations/metros/" + metroID, "", 200, ""},
	{"metro, unknown", userToken, "GET", "/locations/metros/" + unknownID, "", 404, ""},
	{"no such path", userToken, "GET", "/nothing", "", 404, ""},
	{"delete", userToken, "DELETE", "/ssh-keys/KEY", "", 204, ""},
}

// world is what the rows' words stand for; every pass over the table makes its own.
type world map[string]string

func newWorld(s *sim) (world, error) {
	w := world{"USED": newKey()}
	var made [3]struct{ ID string }
	s.ask("POST", "/projects", map[string]string{"id": siblingID, "name": "other"}, nil) // refused while it is there
	err := errors.Join(
		s.ask("DELETE", "/faults", nil, nil), s.ask("DELETE", "/keys", nil, nil),
		s.ask("POST", "/keys", map[string]string{"project": projectID, "label": "first", "key": w["USED"]}, &made[0]),
		s.ask("POST", "/keys", map[string]string{"label": "mine", "key": newKey()}, &made[1]),
		s.ask("POST", "/keys", map[string]string{"project": strangerID, "label": "far", "key": newKey()}, &made[2]))
	w["KEY"], w["USERKEY"], w["FOREIGN"] = made[0].ID, made[1].ID, made[2].ID
	return w, err
}

func (w world) fill(text string) string {
	return strings.NewReplacer("USERKEY", w["USERKEY"], "KEY", w["KEY"], "FOREIGN", w["FOREIGN"],
		"FRESH", newKey(), "USED", w["USED"]).Replace(text)
}

func (w world) send(s *sim, x row, token string) (*answer, error) {
	return s.call(token, x.method, w.fill(x.path), w.fill(x.body))
}

func checkTable(r *report, s *sim, v *validator) {
	// A null link is what the service sends, but the document has no null (packet 6).
	w, err := newWorld(s)
	err = errors.Join(err, s.ask("POST", "/config", map[string]any{"metaEnd": "absent"}, nil))
	for _, x := range table {
		var a *answer
		if err == nil {
			a, err = w.send(s, x, x.token)
		}
		if err == nil && a.status != x.status {
			err = fmt.Errorf("%d instead of %d: %s", a.status, x.status, a.body)
		}
		if err == nil {
			err = v.answer(a, x.schema)
		}
		r.check(x.name, err)
		err = nil
	}
}

// Faults whose answers still come from the API itself; the others break the document on purpose.
var ownAnswers = []string{"lost-create", "json-503", "json-503-retry-after", "429", "429-seconds", "429-date",
	"429-huge", "429-negative", "429-garbage", "429-rate-limit", "deprecation", "committed-404", "failed-404", "committed-500", "failed-500"}

func checkFaults(r *report, s *sim, v *validator) {
	for _, preset := range ownAnswers {
		rule := map[string]any{"count": -1, "fault": map[string]any{"preset": preset}}
		w, err := newWorld(s)
		err = errors.Join(err, s.ask("POST", "/faults", rule, nil))
		n := 0
		for _, x := range table {
			if err == nil && x.token == userToken {
				err = w.validate(s, v, x, userToken)
				n++
			}
		}
		r.check(fmt.Sprintf("fault %s: %d answers", preset, n), err)
	}
	r.check("faults forgotten", s.ask("DELETE", "/faults", nil, nil))
}

func (w world) validate(s *sim, v *validator, x row, token string) error {
	a, err := w.send(s, x, token)
	if err == nil {
		err = v.answer(a, x.schema)
	}
	if err != nil {
		return fmt.Errorf("%s with %q: %w", x.name, token, err)
	}
	return nil
}

// Every value of every switch; many is for those whose number does not matter to a body. sunset is not among them: what
// it answers is no longer the API.
var switchValues = map[string][]any{
	"dupCheck": {"owner", "account", "global", "off"}, "ownerMember": {"owner", "entity", "user", "both", "none"},
	"tagsMember": {"always", "when-set", "never"}, "acceptMissingLabel": {false, true},
	"refuseEmptyUpdate": {false, true}, "searchOnProjects": {false, true}, "searchExact": {false, true},
	"listOrder": {"oldest", "newest"}, "meta": {false, true}, "metaPageSize": {1, 1000}, "metaNext": {"object", "absent"},
	"metaEnd": {"absent"}, "metaNextKeepsQuery": {false, true}, "updatedAt": {"same", "later", "moving"},
	"foreignStatus": {404, 403}, "listMissNewReads": {1}, "itemMissNewReads": {1}, "listKeepDeletedReads": {1},
	"listLagMs": {1000}, "lostCreate": {false, true}, "projectTokenProject": {404, 401, 403, 200},
	"projectTokenMetros": {403, 200}, "latencyMs": {1}, "latencyGetMs": {1}, "latencyPostMs": {1}, "latencyPutMs": {1},
	"latencyDeleteMs": {1}, "latencyJitterMs": {1}, "rate": {1, 100000}, "rateBurst": {1, 3}, "rateScope": {"token", "all"},
	"rateHeaders": {false, true}, "rateRetryAfter": {"seconds", "date", "none"}, "rateDeniedCostsNothing": {true, false},
}

// Switches that show only together with others.
var company = map[string]map[string]any{
	"metaPageSize": {"meta": true}, "metaNext": {"meta": true, "metaPageSize": 1}, "metaEnd": {"meta": true},
	"metaNextKeepsQuery": {"meta": true, "metaPageSize": 1}, "rateBurst": {"rate": 1},
	"rateScope": {"rate": 1, "rateBurst": 3}, "rateHeaders": {"rate": 1, "rateBurst": 3}, "rateRetryAfter": {"rate": 1},
	"rateDeniedCostsNothing": {"rate": 1},
}

func checkSwitches(r *report, s *sim, v *validator) {
	var defaults map[string]any
	if err := s.ask("GET", "/config", nil, &defaults); err != nil {
		r.check("switches", err)
		return
	}
	for name := range defaults {
		if _, known := switchValues[name]; !known && name != "sunset" {
			r.check("switch "+name, errors.New("is not in this program's list"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(switchValues)) {
		for _, value := range switchValues[name] {
			wanted := map[string]any{name: value}
			for other, needed := range company[name] {
				wanted[other] = needed
			}
			n, err := passOver(s, v, defaults, wanted)
			text, _ := json.Marshal(wanted)
			r.check(fmt.Sprintf("switches %s: %d answers", text, n), err)
		}
	}
	r.check("switches as before", s.ask("POST", "/config", defaults, nil))
}

// passOver sends the whole table with every kind of token under some switches; only the form of the answers is checked.
func passOver(s *sim, v *validator, defaults, wanted map[string]any) (int, error) {
	n := 0
	err := errors.Join(s.ask("POST", "/config", defaults, nil), s.ask("POST", "/config", wanted, nil))
	for _, token := range tokens {
		w, made := newWorld(s)
		err = errors.Join(err, made)
		for _, x := range table {
			if err == nil {
				err = w.validate(s, v, x, token)
				n++
			}
		}
	}
	return n, err
}

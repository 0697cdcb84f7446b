// The calls of packngo, the client that most programs for this API were built on.
package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/packethost/packngo"
)

func newClient(s *sim, token string) (*packngo.Client, error) {
	// The final slash is needed: it resolves paths against the base (packet 1.1).
	return packngo.NewClientWithBaseURL("packngo lib", token, s.client, s.url+"/")
}

func expect(what string, got, wanted any) error {
	if got != wanted {
		return fmt.Errorf("%s: %v instead of %v", what, got, wanted)
	}
	return nil
}

// refused: the call failed with that status and that text in the client's own reading of the body.
func refused(err error, status int, text string) error {
	var answer *packngo.ErrorResponse
	if !errors.As(err, &answer) {
		return fmt.Errorf("%v instead of an answer with %d", err, status)
	}
	said := answer.SingleError + strings.Join(answer.Errors, ", ")
	if answer.Response.StatusCode != status || !strings.Contains(said, text) {
		return fmt.Errorf("%d %q instead of %d %q", answer.Response.StatusCode, said, status, text)
	}
	return nil
}

func holds(keys []packngo.SSHKey, id string) error {
	for _, key := range keys {
		if key.ID == id {
			return nil
		}
	}
	return fmt.Errorf("%s is not among %d keys", id, len(keys))
}

func checkPackngo(r *report, s *sim) {
	_, err := newWorld(s)
	r.check("packngo, begin", err)
	for _, token := range []string{userToken, projectToken} {
		c, err := newClient(s, token)
		if err != nil {
			r.check("packngo, "+token, err)
			continue
		}
		lifeOfAKey(r, c, s, "packngo, "+token+": ")
	}
	r.check("packngo, user keys and project keys are apart", userKeysApart(s))
	r.check("packngo, wrong token", wrongToken(s))
	r.check("packngo, lost create of a project token", lostCreate(s))
	r.check("packngo, rate limit headers", rateHeaders(s))
	if !strings.HasSuffix(s.url, "/metal/v1") {
		r.check("packngo, projects over pages", projectPages(s))
	}
}

func lifeOfAKey(r *report, c *packngo.Client, s *sim, who string) {
	line := newKey() + "\n"
	key, response, err := c.SSHKeys.Create(&packngo.SSHKeyCreateRequest{Label: "made", Key: line, ProjectID: projectID})
	if err == nil {
		err = errors.Join(expect("status", response.StatusCode, 201), expect("key", key.Key, line),
			expect("label", key.Label, "made"), expect("owner", strings.HasSuffix(key.Owner.Href, "/projects/"+projectID), true))
	}
	r.check(who+"Create", err)
	if err != nil {
		return
	}
	r.check(who+"Create again", again(c, line))
	listed, _, err := c.SSHKeys.ProjectList(projectID)
	r.check(who+"ProjectList", errors.Join(err, holds(listed, key.ID)))
	listed, _, err = c.Projects.ListSSHKeys(projectID, &packngo.SearchOptions{Search: "nothing like it"})
	// The simulator ignores search on this list, as the service may have done (S-13).
	r.check(who+"ListSSHKeys", errors.Join(err, holds(listed, key.ID)))
	got, _, err := c.SSHKeys.Get(key.ID, nil)
	if err == nil {
		err = expect("key", *got, *key)
	}
	r.check(who+"Get", err)
	got, _, err = c.SSHKeys.Get(key.ID, &packngo.GetOptions{Includes: []string{"owner"}})
	if err == nil {
		err = expect("key", *got, *key)
	}
	r.check(who+"Get with include", err)
	r.check(who+"Update", update(c, key))
	response, err = c.SSHKeys.Delete(key.ID)
	if err == nil {
		err = expect("status", response.StatusCode, 204)
	}
	r.check(who+"Delete", err)
	_, _, err = c.SSHKeys.Get(key.ID, nil)
	r.check(who+"Get when gone", refused(err, 404, "Not found"))
	_, err = c.SSHKeys.Delete(key.ID)
	r.check(who+"Delete when gone", refused(err, 404, "Not found"))
}

func again(c *packngo.Client, line string) error {
	_, _, err := c.SSHKeys.Create(&packngo.SSHKeyCreateRequest{Label: "other", Key: line, ProjectID: projectID})
	return refused(err, 422, "")
}

// update changes the label only, the key only, both; what was not sent stays (S-7).
func update(c *packngo.Client, key *packngo.SSHKey) error {
	label, line := "renamed", newKey()
	first, _, err := c.SSHKeys.Update(key.ID, &packngo.SSHKeyUpdateRequest{Label: &label})
	if err != nil {
		return err
	}
	second, _, err := c.SSHKeys.Update(key.ID, &packngo.SSHKeyUpdateRequest{Key: &line})
	if err != nil {
		return err
	}
	label = "renamed again"
	third, _, err := c.SSHKeys.Update(key.ID, &packngo.SSHKeyUpdateRequest{Label: &label, Key: &line})
	if err != nil {
		return err
	}
	return errors.Join(
		expect("label", first.Label, "renamed"), expect("key", first.Key, key.Key),
		expect("fingerprint", first.FingerPrint, key.FingerPrint),
		expect("label", second.Label, "renamed"), expect("key", second.Key, line),
		expect("new fingerprint", second.FingerPrint != key.FingerPrint, true),
		expect("label", third.Label, "renamed again"), expect("fingerprint", third.FingerPrint, second.FingerPrint),
		expect("id", third.ID, key.ID), expect("created", third.Created, key.Created))
}

func userKeysApart(s *sim) error {
	user, err := newClient(s, userToken)
	if err != nil {
		return err
	}
	project, err := newClient(s, projectToken)
	if err != nil {
		return err
	}
	mine, _, err := user.SSHKeys.Create(&packngo.SSHKeyCreateRequest{Label: "mine", Key: newKey()})
	if err != nil {
		return err
	}
	theirs, _, err := user.SSHKeys.Create(&packngo.SSHKeyCreateRequest{Label: "p", Key: newKey(), ProjectID: projectID})
	if err != nil {
		return err
	}
	byUser, _, err := user.SSHKeys.List()
	if err != nil {
		return err
	}
	byProject, _, err := project.SSHKeys.List()
	if err != nil {
		return err
	}
	_, _, foreign := project.SSHKeys.Create(&packngo.SSHKeyCreateRequest{Label: "x", Key: newKey()})
	return errors.Join(holds(byUser, mine.ID), holds(byProject, theirs.ID), refused(foreign, 403, "Access denied"),
		expect("user sees the project's", holds(byUser, theirs.ID) == nil, false),
		expect("project sees the user's", holds(byProject, mine.ID) == nil, false))
}

func wrongToken(s *sim) error {
	c, err := newClient(s, revokedToken)
	if err != nil {
		return err
	}
	_, _, err = c.SSHKeys.List()
	return refused(err, 401, "Invalid authentication token")
}

// lostCreate: 404 although created, then 422, then in the list (packet 2.7).
func lostCreate(s *sim) error {
	c, err := newClient(s, projectToken)
	if err != nil {
		return err
	}
	request := &packngo.SSHKeyCreateRequest{Label: "lost", Key: newKey(), ProjectID: projectID}
	if err := s.ask("POST", "/config", map[string]any{"lostCreate": true}, nil); err != nil {
		return err
	}
	_, _, first := c.SSHKeys.Create(request)
	if err := s.ask("POST", "/config", map[string]any{"lostCreate": false}, nil); err != nil {
		return err
	}
	_, _, second := c.SSHKeys.Create(request)
	listed, _, err := c.SSHKeys.ProjectList(projectID)
	there := 0
	for _, key := range listed {
		if key.Key == request.Key {
			there++
		}
	}
	return errors.Join(err, refused(first, 404, "Not found"), refused(second, 422, ""), expect("keys", there, 1))
}

func rateHeaders(s *sim) error {
	c, err := newClient(s, userToken)
	if err != nil {
		return err
	}
	if err := s.ask("POST", "/config", map[string]any{"rate": 100, "rateHeaders": true}, nil); err != nil {
		return err
	}
	_, response, err := c.SSHKeys.ProjectList(projectID)
	if err != nil {
		return err
	}
	return errors.Join(expect("limit", response.Rate.RequestLimit, 100),
		expect("remaining", response.Rate.RequestsRemaining > 0, true),
		expect("reset", response.Rate.Reset.IsZero(), false),
		s.ask("POST", "/config", map[string]any{"rate": 0, "rateHeaders": false}, nil))
}

// projectPages: packngo resolves the next page's link against its base instead of its origin, so it can only follow
// it where both are the same.
func projectPages(s *sim) error {
	c, err := newClient(s, userToken)
	if err != nil {
		return err
	}
	projects, _, err := c.Projects.List(&packngo.ListOptions{PerPage: 1})
	if err != nil {
		return err
	}
	return expect("projects", len(projects), 2)
}

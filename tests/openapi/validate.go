// What an answer must be: as the document says, and, since the document requires nearly nothing, with all members that
// every recording of the service holds (packet 2.3).
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

type validator struct {
	document *openapi3.T
	router   routers.Router
	prefix   string
}

// The official document's own format names would otherwise be taken as comments.
func defineFormats() {
	openapi3.DefineStringFormatValidator("uuid",
		openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC4122))
	openapi3.DefineStringFormatCallback("date-time", func(text string) error {
		const form = "2006-01-02T15:04:05Z" // UTC, whole seconds (packet 1.4)
		if at, err := time.Parse(form, text); err != nil || at.Format(form) != text {
			return fmt.Errorf("%q is not in the form %s", text, form)
		}
		return nil
	})
}

func newValidator(file, server string) (*validator, error) {
	defineFormats()
	document, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, err
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, err
	}
	document.Servers = openapi3.Servers{{URL: server}}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(server)
	return &validator{document, router, at.Path}, err
}

// answer checks everything about one answer of the API. schema names the component for a success that the document does
// not know (PATCH); "" otherwise.
func (v *validator) answer(a *answer, schema string) error {
	if err := v.headers(a); err != nil {
		return err
	}
	if err := v.body(a, schema); err != nil {
		return err
	}
	if a.status == http.StatusNoContent {
		return nil
	}
	var body map[string]any
	if err := json.Unmarshal(a.body, &body); err != nil {
		return err
	}
	if a.status >= 400 {
		return oneError(a.status, body)
	}
	return v.members(body)
}

var requestID = regexp.MustCompile("^[0-9a-f]{32}$")

func (v *validator) headers(a *answer) error {
	wanted := "application/json; charset=utf-8"
	if a.status == http.StatusNoContent {
		wanted = ""
		if len(a.body) > 0 {
			return fmt.Errorf("204 with a body: %q", a.body)
		}
	}
	if got := a.header.Get("Content-Type"); got != wanted {
		return fmt.Errorf("Content-Type %q instead of %q", got, wanted)
	}
	if id := a.header.Get("X-Request-Id"); !requestID.MatchString(id) {
		return fmt.Errorf("X-Request-Id %q", id)
	}
	return nil
}

// body holds an answer against its operation if the document has operation and status, else against the component.
func (v *validator) body(a *answer, schema string) error {
	route, parameters, err := v.router.FindRoute(a.request)
	if err == nil && route.Operation.Responses.Status(a.status) != nil {
		return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{
				Request: a.request, PathParams: parameters, Route: route},
			Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
			Options: &openapi3filter.Options{IncludeResponseStatus: true}})
	}
	if a.status >= 400 {
		schema = "Error"
	}
	if schema == "" {
		return fmt.Errorf("the document has no %d for this operation", a.status)
	}
	return v.component(schema, a.body)
}

func (v *validator) component(schema string, data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	return v.document.Components.Schemas[schema].Value.VisitJSON(value)
}

// oneError: exactly one of error and errors, and never empty; which of them says the status (packet 5.1).
func oneError(status int, body map[string]any) error {
	single, _ := body["error"].(string)
	list, _ := body["errors"].([]any)
	if (status == http.StatusUnauthorized) != (single != "") || (single == "") != (len(list) > 0) || len(body) != 1 {
		return fmt.Errorf("%d with %v", status, body)
	}
	return nil
}

// members goes through an object of the API and looks at every key, link and meta in it.
func (v *validator) members(object map[string]any) error {
	if _, isKey := object["fingerprint"]; isKey {
		for _, name := range []string{"id", "label", "key", "fingerprint", "created_at", "updated_at", "href"} {
			if text, ok := object[name].(string); !ok || (text == "" && name != "label") {
				return fmt.Errorf("key with %s %v", name, object[name])
			}
		}
	}
	if meta, ok := object["meta"]; ok {
		data, err := json.Marshal(meta)
		if err != nil {
			return err
		}
		if err := v.component("Meta", data); err != nil {
			return fmt.Errorf("meta: %w", err)
		}
	}
	for name, member := range object {
		if err := v.member(name, member); err != nil {
			return err
		}
	}
	return nil
}

func (v *validator) member(name string, member any) error {
	switch value := member.(type) {
	case string:
		if name == "href" && !strings.HasPrefix(value, v.prefix+"/") {
			return fmt.Errorf("href %q is not below %q", value, v.prefix)
		}
	case map[string]any:
		if name == "owner" || name == "entity" || name == "user" {
			data, err := json.Marshal(value)
			if err != nil {
				return err
			}
			if err := v.component("Href", data); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return v.members(value)
	case []any:
		for _, item := range value {
			if err := v.member("", item); err != nil {
				return err
			}
		}
	}
	return nil
}

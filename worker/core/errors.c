/* worker/core/errors.c -- the one table from a cause to its Gardener code, what happened, and who must act.
 * Decides by cause, never on text; a cause that may pass by itself carries no code that would stop gardenlet
 * (gardener 5.4, 39). Called by the flows and by patch.c. */
#include "worker/core/errors.h"

#include <stdio.h>
#include <string.h>

#define UNAUTHENTICATED "ERR_INFRA_UNAUTHENTICATED"
#define UNAUTHORIZED    "ERR_INFRA_UNAUTHORIZED"
#define CONFIGURATION   "ERR_CONFIGURATION_PROBLEM"
#define MAY_HEAL        "ERR_RETRYABLE_CONFIGURATION_PROBLEM"

#define OWNER_FIXES_SECRET "The owner of the credentials must correct it."
#define OWNER_FIXES_SHOOT  "The owner of the Shoot must correct it."
#define KEY_BROUGHT_WRONG  "Whoever wrote the Infrastructure must correct it."
#define NOBODY             "Nobody needs to act unless this lasts."
#define DEVELOPERS         "This is an error of the extension; please report it with its log."

/* {secret} {project} {recorded} {id} {http} {detail}: see expand(). */
static const struct row {
    const char *code;
    enum { ELSEWHERE, IN_SPEC, IN_CONFIG } place; /* of what is wrong; IN_CONFIG is in the spec, too */
    const char *what;
    const char *who;
} rows[CAUSE_COUNT] = {
    [CAUSE_CONFIG_SHAPE] = {CONFIGURATION, IN_CONFIG, "spec.providerConfig is not an object.",
                            OWNER_FIXES_SHOOT},
    [CAUSE_CONFIG_KIND] = {CONFIGURATION, IN_CONFIG,
                           "spec.providerConfig is not an InfrastructureConfig of "
                           "packet.provider.extensions.gardener.cloud/v1alpha1.",
                           OWNER_FIXES_SHOOT},
    [CAUSE_CONFIG_KEY] = {CONFIGURATION, IN_CONFIG,
                          "sshPublicKey in spec.providerConfig is not one line of an SSH public key.",
                          OWNER_FIXES_SHOOT},
    [CAUSE_KEY_BASE64] = {CONFIGURATION, IN_SPEC, "spec.sshPublicKey is not base64.", KEY_BROUGHT_WRONG},
    [CAUSE_KEY_FORMAT] =
        {CONFIGURATION, IN_SPEC,
         "spec.sshPublicKey does not hold an SSH public key in the format of authorized_keys "
         "(\"ssh-rsa AAAA...\").",
         KEY_BROUGHT_WRONG},
    [CAUSE_KEY_PRIVATE] = {CONFIGURATION, IN_SPEC,
                           "spec.sshPublicKey holds a private key; it was not sent anywhere and must be "
                           "regarded as disclosed.",
                           KEY_BROUGHT_WRONG},
    [CAUSE_KEY_CERTIFICATE] =
        {CONFIGURATION, IN_SPEC,
         "spec.sshPublicKey holds a certificate or a certificate authority, which Packet "
         "cannot use.",
         KEY_BROUGHT_WRONG},
    [CAUSE_KEY_SEVERAL] = {CONFIGURATION, IN_SPEC,
                           "spec.sshPublicKey holds several keys; exactly one is possible.",
                           KEY_BROUGHT_WRONG},
    [CAUSE_KEY_LONG] = {CONFIGURATION, IN_SPEC, "spec.sshPublicKey is longer than 16 KiB.",
                        KEY_BROUGHT_WRONG},
    [CAUSE_SECRET_MISSING] =
        {NULL, ELSEWHERE, "Secret {secret} does not exist.",
         "Gardener copies it from the Shoot's credentials; check those if it stays away."},
    [CAUSE_SECRET_EMPTY] = {CONFIGURATION, ELSEWHERE, "Secret {secret} does not contain any data.",
                            OWNER_FIXES_SECRET},
    [CAUSE_SECRET_NO_TOKEN] = {CONFIGURATION, ELSEWHERE,
                               "The field \"apiToken\" is missing or empty in Secret {secret}.",
                               OWNER_FIXES_SECRET},
    [CAUSE_SECRET_NO_PROJECT] = {CONFIGURATION, ELSEWHERE,
                                 "The field \"projectID\" is missing or empty in Secret {secret}.",
                                 OWNER_FIXES_SECRET},
    [CAUSE_SECRET_BAD_TOKEN] =
        {CONFIGURATION, ELSEWHERE,
         "The field \"apiToken\" in Secret {secret} cannot be a token: it holds control "
         "characters or is far too long.",
         OWNER_FIXES_SECRET},
    [CAUSE_SECRET_BAD_PROJECT] = {CONFIGURATION, ELSEWHERE,
                                  "The field \"projectID\" in Secret {secret} is not a UUID.",
                                  OWNER_FIXES_SECRET},
    [CAUSE_SECRET_WORKLOAD] = {CONFIGURATION, ELSEWHERE,
                               "Secret {secret} holds a WorkloadIdentity; Packet needs \"apiToken\" and "
                               "\"projectID\".",
                               OWNER_FIXES_SECRET},
    [CAUSE_NO_GRANT] = {NULL, ELSEWHERE, "The credentials in Secret {secret} could not be made usable.",
                        NOBODY},
    [CAUSE_PROJECT_CHANGED] = {CONFIGURATION, ELSEWHERE,
                               "Secret {secret} names project {project}, but the SSH key is in project "
                               "{recorded}; nothing was sent.",
                               "The owner of the credentials must name the recorded project again."},
    [CAUSE_STATE_BROKEN] = {CONFIGURATION, false,
                            "status.state is not what this extension writes, so it does not tell which keys "
                            "exist.",
                            "An operator must restore it."},
    [CAUSE_KEY_FOREIGN] = {CONFIGURATION, false,
                           "SSH key {id} in project {project} has the same key material but another label or "
                           "owner; it was left alone.",
                           "The owner of the project must remove it, or give this Shoot another key pair."},
    [CAUSE_REFUSED] = {CONFIGURATION, false,
                       "Packet refused the SSH key{http}, and no key of this Shoot with that material is in "
                       "project {project}{detail}.",
                       "The key may exist under another owner; rotating the Shoot's SSH key pair helps."},
    [CAUSE_UNAUTHENTICATED] = {UNAUTHENTICATED, false,
                               "Packet does not accept the API token in Secret {secret}{http}.",
                               "The owner of the credentials must renew the token."},
    [CAUSE_UNAUTHORIZED] =
        {UNAUTHORIZED, false,
         "The API token in Secret {secret} may not manage SSH keys of project {project}{http}.",
         "The owner of the credentials must grant it read and write access."},
    [CAUSE_NO_PROJECT] =
        {UNAUTHORIZED, false,
         "Packet project {project} does not exist or the token in Secret {secret} may not see "
         "it{http}.",
         "The owner of the credentials must correct the project or the token."},
    [CAUSE_TRANSIENT] = {NULL, false,
                         "The Packet API could not be reached or failed{http}; nothing was changed.", NOBODY},
    [CAUSE_UNKNOWN] = {NULL, false, "The Packet API did not confirm a change of SSH key {id}{http}.", NOBODY},
    [CAUSE_MISCONFIGURED] =
        {MAY_HEAL, false, "What answers at the Packet API's address is not the Packet API{http}{detail}.",
         "The operator of the extension must check its address, certificates and proxies."},
    [CAUSE_BUG] = {NULL, false, "The Packet API does not understand the extension{http}{detail}.",
                   DEVELOPERS},
};

static const char when[] = "It is tried again by itself, after pauses that grow to 17 minutes.";
static const char when_checked[] = "Nothing was changed; the next check comes by itself.";
static const char when_held[] = "It is tried again when the Infrastructure changes.";
static const char way_out[] = " The finalizer stays while the SSH key may exist: make the credentials work "
                              "again, or use Gardener's force deletion and remove the key by hand.";

const char *cause_code(enum cause cause)
{
    return cause < CAUSE_COUNT ? rows[cause].code : NULL;
}

bool cause_is_config(enum cause cause)
{
    return cause < CAUSE_COUNT && rows[cause].place == IN_CONFIG;
}

bool cause_is_held(enum cause cause)
{
    return cause < CAUSE_COUNT && rows[cause].place != ELSEWHERE;
}

const char *cause_what(enum cause cause)
{
    return cause < CAUSE_COUNT ? rows[cause].what : NULL;
}

const char *cause_who(enum cause cause)
{
    return cause < CAUSE_COUNT ? rows[cause].who : NULL;
}

const char *failure_when(bool held, bool checking)
{
    return checking ? when_checked : held ? when_held : when;
}

const char *failure_way_out(void)
{
    return way_out;
}

enum cause cause_of_secret(unsigned secret_state)
{
    switch ((enum secret_state)secret_state) {
    case SECRET_USABLE: return CAUSE_NONE;
    case SECRET_MISSING: return CAUSE_SECRET_MISSING;
    case SECRET_EMPTY: return CAUSE_SECRET_EMPTY;
    case SECRET_NO_TOKEN: return CAUSE_SECRET_NO_TOKEN;
    case SECRET_NO_PROJECT: return CAUSE_SECRET_NO_PROJECT;
    case SECRET_BAD_TOKEN: return CAUSE_SECRET_BAD_TOKEN;
    case SECRET_BAD_PROJECT: return CAUSE_SECRET_BAD_PROJECT;
    case SECRET_WORKLOAD: return CAUSE_SECRET_WORKLOAD;
    }
    return CAUSE_NO_GRANT;
}

enum cause cause_of_outcome(unsigned outcome)
{
    switch ((enum outcome)outcome) {
    case OUTCOME_REFUSED: return CAUSE_REFUSED;
    case OUTCOME_UNAUTHENTICATED: return CAUSE_UNAUTHENTICATED;
    case OUTCOME_UNAUTHORIZED: return CAUSE_UNAUTHORIZED;
    case OUTCOME_NO_PROJECT: return CAUSE_NO_PROJECT;
    case OUTCOME_LATER:
    case OUTCOME_FENCED:
    case OUTCOME_TRANSIENT: return CAUSE_TRANSIENT;
    case OUTCOME_UNKNOWN: return CAUSE_UNKNOWN;
    case OUTCOME_MISCONFIGURED: return CAUSE_MISCONFIGURED;
    case OUTCOME_OK:
    case OUTCOME_GONE:
    case OUTCOME_NOT_GRANTED:
    case OUTCOME_BUG: break;
    }
    return CAUSE_BUG;
}

struct text {
    char *buf;
    size_t size, len;
};

static void add(struct text *t, const char *s, size_t n)
{
    if (n > t->size - 1 - t->len)
        n = t->size - 1 - t->len;
    memcpy(t->buf + t->len, s, n);
    t->len += n;
    t->buf[t->len] = '\0';
}

/* " (HTTP 422, request 0f6c...)", as much of it as is known. */
static void add_http(struct text *t, const struct failure *failure)
{
    char clause[200] = "";

    if (failure->http != 0 && failure->request_id[0] != '\0')
        snprintf(clause, sizeof clause, " (HTTP %u, request %s)", failure->http, failure->request_id);
    else if (failure->http != 0)
        snprintf(clause, sizeof clause, " (HTTP %u)", failure->http);
    add(t, clause, strlen(clause));
}

static void add_name(struct text *t, const char *name, size_t len, const struct failure *failure,
                     const struct failure_words *words)
{
    const struct {
        const char *name, *text;
    } names[] = {{"secret", words->secret},
                 {"project", words->project},
                 {"recorded", words->recorded},
                 {"id", failure->id}};

    if (len == 4 && memcmp(name, "http", len) == 0)
        add_http(t, failure);
    if (len == 6 && memcmp(name, "detail", len) == 0 && failure->detail[0] != '\0') {
        add(t, ": ", 2);
        add(t, failure->detail, strlen(failure->detail));
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].name) == len && memcmp(name, names[i].name, len) == 0)
            add(t, names[i].text, strlen(names[i].text));
}

static void expand(struct text *t, const char *form, const struct failure *failure,
                   const struct failure_words *words)
{
    while (*form != '\0') {
        size_t plain = strcspn(form, "{");
        add(t, form, plain);
        form += plain;
        if (*form == '{') {
            size_t len = strcspn(form + 1, "}");
            add_name(t, form + 1, len, failure, words);
            form += len + 2;
        }
    }
}

void failure_text(const struct failure *failure, const struct failure_words *words, char *buf, size_t size)
{
    struct text t = {.buf = buf, .size = size};
    const struct row *row = &rows[failure->cause < CAUSE_COUNT ? failure->cause : CAUSE_BUG];

    buf[0] = '\0';
    if (row->what == NULL)
        return;
    expand(&t, row->what, failure, words);
    add(&t, " ", 1);
    add(&t, row->who, strlen(row->who));
    add(&t, " ", 1);
    bool held = row->place != ELSEWHERE && !words->deleting;
    const char *again = failure_when(held, words->checking);
    add(&t, again, strlen(again));
    if (words->deleting)
        add(&t, way_out, sizeof way_out - 1);
}

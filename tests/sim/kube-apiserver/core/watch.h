/* tests/sim/kube-apiserver/core/watch.h -- the state of one watch, shared by the file that opens it and the
 * one that sends. Nothing outside this folder includes it. */
#ifndef TESTS_SIM_KUBE_APISERVER_CORE_WATCH_H
#define TESTS_SIM_KUBE_APISERVER_CORE_WATCH_H

#include "tests/sim/kube-apiserver/core/internal.h"

struct kube_watch {
    struct kube_sim *sim;
    struct ks_resource *res;
    struct ks_selector selector;
    enum ks_form form;
    char prefix[KS_KEY_MAX];
    char only[KS_KEY_MAX]; /* the one key of a watch on a named object; "" for all */
    char include[16];
    uint64_t seq; /* the next event to look at */
    struct ks_object **initial;
    size_t n_initial;
    size_t at_initial;
    uint64_t initial_revision;
    uint64_t
        too_early; /* the revision that initial events were asked for and that is not there yet; 0: none */
    bool end_bookmark; /* sendInitialEvents: tell where the initial events end */
    bool bookmarks;
    bool first_table;
    bool lost; /* begun before the history: the first event is the 410 */
    bool ended;
    bool replayed; /* the fault "replay" has struck */
    bool repeat;   /* the line in text is sent once more (fault "duplicate") */
    enum sim_fate fate;
    struct ks_fault fault; /* action "" for none */
    int64_t opened_ms;
    int64_t deadline_ms;
    unsigned long long sent;
    uint64_t bookmarks_seen; /* of those asked for */
    struct ks_text text;
    /* for the closing audit record */
    char *user;
    char *uri;
    char *user_agent;
    char name[KS_NAME_MAX];
    char ns[KS_NAME_MAX];
    uint64_t id;
};

/* Whether the watch is about the object with this key. */
bool ks_watch_in_scope(const struct kube_watch *watch, const char *key);

#endif

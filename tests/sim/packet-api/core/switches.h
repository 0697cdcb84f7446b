/* tests/sim/packet-api/core/switches.h -- every point where the real service's behaviour is unknown or
 * varied. Owns the list of switches and their defaults' meaning; never holds state of the simulation. Read by
 * the core, set through POST /_sim/config, by the server's flags and directly by tests/world. */
#ifndef TESTS_SIM_PACKET_API_CORE_SWITCHES_H
#define TESTS_SIM_PACKET_API_CORE_SWITCHES_H

/* Where a second key with the same material is refused with 422 (packet S-10). */
enum packet_sim_dup {
    PACKET_SIM_DUP_OWNER,
    PACKET_SIM_DUP_ACCOUNT,
    PACKET_SIM_DUP_GLOBAL,
    PACKET_SIM_DUP_OFF
};

/* Name of the member that says whose key it is (packet S-9); BOTH is owner and entity. */
enum packet_sim_owner {
    PACKET_SIM_OWNER_OWNER,
    PACKET_SIM_OWNER_ENTITY,
    PACKET_SIM_OWNER_USER,
    PACKET_SIM_OWNER_BOTH,
    PACKET_SIM_OWNER_NONE
};

enum packet_sim_tags { PACKET_SIM_TAGS_ALWAYS, PACKET_SIM_TAGS_WHEN_SET, PACKET_SIM_TAGS_NEVER };
enum packet_sim_order { PACKET_SIM_OLDEST_FIRST, PACKET_SIM_NEWEST_FIRST };
/* Form of meta.next while pages remain (NULL and ABSENT hide the rest of the list), and at the end (S-14). */
enum packet_sim_next { PACKET_SIM_NEXT_OBJECT, PACKET_SIM_NEXT_NULL, PACKET_SIM_NEXT_ABSENT };
/* updated_at equals created_at until a change; one second later; one second later at every read (S-17). */
enum packet_sim_updated { PACKET_SIM_UPDATED_SAME, PACKET_SIM_UPDATED_LATER, PACKET_SIM_UPDATED_MOVING };
/* What is left after the end of the service (S-35); REFUSED also closes the listening socket of the server.
 */
enum packet_sim_sunset {
    PACKET_SIM_SUNSET_OFF,
    PACKET_SIM_SUNSET_HTML_200,
    PACKET_SIM_SUNSET_HTML_404,
    PACKET_SIM_SUNSET_GONE_410,
    PACKET_SIM_SUNSET_REFUSED
};
enum packet_sim_rate_scope { PACKET_SIM_RATE_TOKEN, PACKET_SIM_RATE_ALL };
enum packet_sim_retry_after {
    PACKET_SIM_RETRY_AFTER_SECONDS,
    PACKET_SIM_RETRY_AFTER_DATE,
    PACKET_SIM_RETRY_AFTER_NONE
};

/* All members are int so that one table can read and write them; 0 is false, 1 is true. All zero except where
 * packet_sim_switches_default() says otherwise. */
struct packet_sim_switches {
    int dup_check;               /* enum packet_sim_dup */
    int owner_member;            /* enum packet_sim_owner */
    int tags_member;             /* enum packet_sim_tags */
    int accept_missing_label;    /* S-11; default 422 */
    int refuse_empty_update;     /* PUT without a body: 200 unchanged, or 422 */
    int search_on_projects;      /* "search" on a project's list filters too (S-13) */
    int search_exact;            /* the filters want equality instead of a part */
    int list_order;              /* enum packet_sim_order */
    int meta;                    /* key lists carry meta and are paged (S-14) */
    int meta_page_size;          /* keys a page when meta is on; default 10 */
    int meta_next;               /* enum packet_sim_next, while pages remain */
    int meta_end;                /* the same on the last page; default NULL */
    int meta_next_keeps_query;   /* next repeats the caller's other parameters; default not */
    int updated_at;              /* enum packet_sim_updated */
    int foreign_status;          /* of ids that this token may not see (S-19): 404 or 403 */
    int list_miss_new_reads;     /* so many lists miss a key created from now on (S-29) */
    int item_miss_new_reads;     /* so many GETs of a key created from now on are 404 */
    int list_keep_deleted_reads; /* so many lists still show a key deleted from now on */
    int list_lag_ms;             /* lists show the state as it was so long ago */
    int lost_create;             /* every create by a project token commits, then answers 404 (S-21) */
    int project_token_project;   /* status of GET /projects/{own} for a project token: 404, 401, 403, 200 */
    int project_token_metros;    /* status of the metro paths for a project token: 403 or 200 (S-30) */
    int sunset;                  /* enum packet_sim_sunset */
    int latency_ms;              /* how long every answer is held back */
    int latency_get_ms;          /* the same for one method; -1: latency_ms */
    int latency_post_ms;
    int latency_put_ms; /* and PATCH */
    int latency_delete_ms;
    int latency_jitter_ms;         /* up to so much more, drawn from the seed */
    int rate_per_s;                /* 0: no limit (S-26) */
    int rate_burst;                /* 0: as rate_per_s */
    int rate_scope;                /* enum packet_sim_rate_scope */
    int rate_headers;              /* X-RateLimit-* on every answer */
    int rate_retry_after;          /* enum packet_sim_retry_after, of 429 */
    int rate_denied_costs_nothing; /* default 1; 0: a refused request drains the bucket too */
};

struct packet_sim_switches packet_sim_switches_default(void);

#endif

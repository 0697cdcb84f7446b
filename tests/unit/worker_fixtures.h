/* tests/unit/worker_fixtures.h -- the names, keys and pieces of objects that the worker's tests share. Pieces
 * are JSON members in single quotes, without braces. For tests/unit/test_worker_*.c only. */
#ifndef TESTS_UNIT_WORKER_FIXTURES_H
#define TESTS_UNIT_WORKER_FIXTURES_H

#define PROJECT    "32f32a27-17f8-4131-9e8c-e5f6c33b465e"
#define SHOOT_UID  "5c1dbd34-7d3c-4a3e-9a62-1c5a5b7b8f10"
#define ID_A       "aaaaaaaa-0000-4000-8000-000000000001"
#define ID_B       "bbbbbbbb-0000-4000-8000-000000000002"
#define ID_C       "cccccccc-0000-4000-8000-000000000003"
#define LABEL      "shoot--foo--bar-ssh-publickey"
#define STARTED_AT "2026-08-21T17:55:55Z"
#define STARTED_MS 1787334955000ll /* the same */

/* An ed25519 key as a line, as spec.sshPublicKey has it, and its fingerprint by ssh-keygen -lf. */
#define KEY_LINE "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t"
#define KEY_BASE64                                                                                           \
    "c3NoLWVkMjU1MTkgQUFBQUMzTnphQzFsWkRJMU5URTVBQUFBSUZZZVlaamRBSXBNRUtwbzR4SHdIZCtwUGlkRk1qUllQYmZVVDBrdl" \
    "pmL3Q="
#define KEY_FP "SHA256:fBTkxAGuTMOOuT9U+x4uoLJPrEU10Hk57cmphIFXYNQ"
#define OLD_FP "SHA256:OLDOLDOLDOLDOLDOLDOLDOLDOLDOLDOLDOLDOLDOLDO"

#define PROVIDER_STATUS(id)                                                                                  \
    "'providerStatus':{'apiVersion':'packet.provider.extensions.gardener.cloud/v1alpha1',"                   \
    "'kind':'InfrastructureStatus','sshKeyID':'" id "'}"
#define LAST(type, state, progress, text, when)                                                              \
    "'lastOperation':{'type':'" type "','state':'" state "','progress':" progress ",'description':'" text    \
    "','lastUpdateTime':'" when "'}"
#define PROCESSING(type) LAST(type, "Processing", "1", "Reconciling the infrastructure", STARTED_AT)
#define SUCCEEDED(type)  LAST(type, "Succeeded", "100", "Successfully reconciled infrastructure", STARTED_AT)
#define OLD_TIME         "2026-08-21T10:00:00Z"
#define DONE_BEFORE                                                                                          \
    LAST("Reconcile", "Succeeded", "100", "Successfully reconciled infrastructure", OLD_TIME)                \
    ",'observedGeneration':1"
#define FULL_STATE(id, fp)                                                                                   \
    "'state':{'project':'" PROJECT "','label':'" LABEL "','id':'" id "','fingerprint':'" fp "'}"
#define META_FINALIZED "'finalizers':['extensions.gardener.cloud/infrastructure']"
#define ANNOTATED(op)                                                                                        \
    "'annotations':{'gardener.cloud/operation':'" op                                                         \
    "','gardener.cloud/timestamp':'2026-08-21T17:55:54.123456789Z'}"
/* A found key of the gateway's list. */
#define FOUND(id, label, blob, owner, fp)                                                                    \
    "{'id':'" id "','label':" label ",'blob':" blob ",'owner':" owner                                        \
    ",'recorded':false,'created':'2026-08-01T00:00:00Z','fingerprint':'" fp "'}"
#define FOUND_OURS(id) FOUND(id, "true", "true", "1", KEY_FP)
#define FOUND_OLD(id)  FOUND(id, "true", "false", "1", OLD_FP)

#endif

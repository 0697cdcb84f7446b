/* supervisor/options.c -- THE table of options: each name beside its default, its meaning and the children
 * that get it (gardener 9.2). No parsing here; that is options_read.c. Used by all options_*.c and spawn.c.
 */
#include "supervisor/options.h"

#include "supervisor/core/policy.h"

#define ALL_CHILDREN (WATCHER | WORKER | GATEWAY | EXPORTER)
#define CONTROLLERS  "infrastructure,controlplane,worker,healthcheck,heartbeat"
#define INT32        2147483647L

#define TEXT(name, group, children, fallback, env, help)                                                     \
    {                                                                                                        \
        name, OPTION_TEXT, group, children, fallback, env, NULL, 0, 0, help                                  \
    }
#define CHOICE(name, group, children, fallback, choices, help)                                               \
    {                                                                                                        \
        name, OPTION_TEXT, group, children, fallback, NULL, choices, 0, 0, help                              \
    }
#define BOOL(name, group, children, fallback, help)                                                          \
    {                                                                                                        \
        name, OPTION_BOOL, group, children, fallback, NULL, NULL, 0, 0, help                                 \
    }
#define COUNT(name, group, children, fallback, least, most, help)                                            \
    {                                                                                                        \
        name, OPTION_COUNT, group, children, fallback, NULL, NULL, least, most, help                         \
    }
#define LIST(name, group, children, fallback, choices, help)                                                 \
    {                                                                                                        \
        name, OPTION_LIST, group, children, fallback, NULL, choices, 0, 0, help                              \
    }

/* clang-format off */
static const struct option_row table[] = {
    /* what every start needs */
    TEXT("config-file", GROUP_GARDENER, WATCHER, "", NULL,
         "The ControllerConfiguration (YAML or JSON). Required; see example/00-componentconfig.yaml."),
    TEXT("kubeconfig", GROUP_GARDENER, WATCHER, "", "KUBECONFIG",
         "Where the API server is. Empty: the cluster we run in, else ~/.kube/config."),
    TEXT("master", GROUP_GARDENER, WATCHER, "", NULL, "URL of the API server, instead of the kubeconfig's."),

    /* Packet */
    TEXT("packet-url", GROUP_OURS, GATEWAY, "https://api.equinix.com/metal/v1", "PACKET_API_URL",
         "Base URL of the Packet API."),
    TEXT("packet-ca-file", GROUP_OURS, GATEWAY, "", "PACKET_CA_FILE",
         "PEM file of certificate authorities for the Packet API. Empty: the system's."),
    COUNT("packet-rate", GROUP_OURS, GATEWAY, "200", 0, 10000,
          "Calls a second that one API token may make. 0: no limit of our own."),
    COUNT("packet-burst", GROUP_OURS, GATEWAY, "40", 1, 10000, "Calls that may be saved up for one API token."),
    COUNT("packet-parallel", GROUP_OURS, GATEWAY, "32", 1, 256, "Calls to Packet at the same time, in all."),
    TEXT("packet-consumer-token", GROUP_OURS, GATEWAY, "", NULL, "Sent as X-Consumer-Token. Empty: not sent."),

    /* the processes */
    COUNT("workers", GROUP_OURS, WATCHER | EXPORTER, "5", 1, (long)POLICY_WORKERS_MAX,
          "Worker processes: how many objects are reconciled at once."),
    COUNT("infrastructure-max-concurrent-reconciles", GROUP_GARDENER, WATCHER | EXPORTER, "5", 1,
          (long)POLICY_WORKERS_MAX, "The same as --workers, by Gardener's name."),
    TEXT("runtime-dir", GROUP_OURS, 0, "", NULL,
         "Directory (0700) for our sockets. Empty: $RUNTIME_DIRECTORY, else $XDG_RUNTIME_DIR/"
         "gardener-extension-provider-packet, else /run/gardener-extension-provider-packet for root."),

    /* what is reconciled */
    BOOL("ignore-operation-annotation", GROUP_GARDENER, WATCHER, "false",
         "Reconcile on every change, not only when gardener.cloud/operation asks for it (development)."),
    LIST("extension-classes", GROUP_GARDENER, WATCHER, "", "shoot,seed,garden",
         "Classes of objects that are ours. Empty: shoot."),
    CHOICE("extension-class", GROUP_GARDENER, WATCHER, "", ",shoot,seed,garden", "Older form of --extension-classes, one class."),
    LIST("controllers", GROUP_GARDENER, WATCHER, CONTROLLERS, CONTROLLERS,
         "Controllers to run. Empty: none. Of these, infrastructure and heartbeat exist here."),
    LIST("disable-controllers", GROUP_GARDENER, WATCHER, "", CONTROLLERS, "Controllers not to run."),
    TEXT("gardener-version", GROUP_GARDENER, WATCHER, "", NULL, "Version of the Gardener that installed us; for logs."),
    BOOL("self-hosted-shoot-cluster", GROUP_GARDENER, WATCHER, "false", "We run in a self-hosted shoot."),
    BOOL("autonomous-shoot-cluster", GROUP_GARDENER, WATCHER, "false", "Older name of --self-hosted-shoot-cluster."),

    /* leader election and heartbeat */
    BOOL("leader-election", GROUP_GARDENER, WATCHER, "true", "Work only while holding the leader Lease."),
    TEXT("leader-election-id", GROUP_GARDENER, WATCHER, "provider-packet-leader-election", NULL, "Name of that Lease."),
    TEXT("leader-election-namespace", GROUP_GARDENER, WATCHER, "", "LEADER_ELECTION_NAMESPACE",
         "Namespace of that Lease."),
    COUNT("leader-election-lease-duration-seconds", GROUP_OURS, WATCHER, "15", 1, 3600,
          "How long others wait for a silent holder before they take that Lease."),
    COUNT("leader-election-renew-deadline-seconds", GROUP_OURS, WATCHER, "10", 1, 3600,
          "How long the holder tries to renew it before it stops writing; shorter than the duration."),
    COUNT("leader-election-retry-period-seconds", GROUP_OURS, WATCHER, "2", 1, 3600,
          "How often it is renewed or tried for; shorter than the deadline by more than a sixth."),
    TEXT("heartbeat-namespace", GROUP_GARDENER, WATCHER, "", "LEADER_ELECTION_NAMESPACE",
         "Namespace of the heartbeat Lease that Gardener watches."),
    COUNT("heartbeat-renew-interval-seconds", GROUP_GARDENER, WATCHER, "30", 1, INT32, "How often it is renewed."),

    COUNT("cache-sync-timeout-seconds", GROUP_OURS, WATCHER, "0", 0, 86400,
          "End the program when the leader's first list takes longer. 0: go on trying, and say that it is not ready."),

    COUNT("drift-check-interval-seconds", GROUP_OURS, WATCHER, "3600", 0, 31536000,
          "How often each SSH key at Packet is compared with what was left there. 0: never."),

    COUNT("quarantine-after", GROUP_OURS, WATCHER, "3", 0, 100,
          "Workers that end at the same object, one after the other, before it is left alone for a while. 0: never."),

    TEXT("record", GROUP_OURS, WORKER, "", NULL,
         "Directory where each worker keeps the messages of its last 64 jobs; its program's --replay FILE runs one again."),

    CHOICE("confinement", GROUP_OURS, ALL_CHILDREN, "strict", "strict,lenient",
           "Whether a process that cannot give up files or system calls ends, or goes on and says so in the status."),

    /* looking at it */
    TEXT("metrics-bind-address", GROUP_GARDENER, EXPORTER, ":8080", NULL, "Where /metrics is served. 0: nowhere."),
    TEXT("health-bind-address", GROUP_GARDENER, EXPORTER, ":8081", NULL,
         "Where /healthz and /readyz are served. 0: nowhere."),
    CHOICE("log-level", GROUP_GARDENER, ALL_CHILDREN, "info", "debug,info,error", "Least level that is logged."),
    CHOICE("log-format", GROUP_GARDENER, ALL_CHILDREN, "json", "json,text", "One JSON object a line, or text."),
    BOOL("version", GROUP_OURS, 0, "false", "Print the version and end."),
    BOOL("help", GROUP_OURS, 0, "false", "Print this and end."),

    /* taken so that charts of full providers work; an infrastructure-only extension has no use for them */
    COUNT("controlplane-max-concurrent-reconciles", GROUP_IGNORED, 0, "5", 0, INT32, "No such controller here."),
    COUNT("worker-max-concurrent-reconciles", GROUP_IGNORED, 0, "5", 0, INT32, "No such controller here."),
    COUNT("healthcheck-max-concurrent-reconciles", GROUP_IGNORED, 0, "1", 0, INT32, "No such controller here."),
    BOOL("worker-deploy-crds", GROUP_IGNORED, 0, "false", "No worker controller here."),
    TEXT("webhook-config-server-host", GROUP_IGNORED, 0, "", NULL, "No webhooks here."),
    COUNT("webhook-config-server-port", GROUP_IGNORED, 0, "443", 0, 65535, "No webhooks here."),
    TEXT("webhook-config-cert-dir", GROUP_IGNORED, 0, "/tmp/gardener-extensions-cert", NULL, "No webhooks here."),
    CHOICE("webhook-config-mode", GROUP_IGNORED, 0, "service", ",service,url,url-service", "No webhooks here."),
    TEXT("webhook-config-url", GROUP_IGNORED, 0, "", NULL, "No webhooks here."),
    COUNT("webhook-config-service-port", GROUP_IGNORED, 0, "443", 0, 65535, "No webhooks here."),
    TEXT("webhook-config-namespace", GROUP_IGNORED, 0, "", "WEBHOOK_CONFIG_NAMESPACE", "No webhooks here."),
    TEXT("webhook-config-owner-namespace", GROUP_IGNORED, 0, "", NULL, "No webhooks here."),
    LIST("disable-webhooks", GROUP_IGNORED, 0, "", NULL, "No webhooks here."),
};
/* clang-format on */

const struct option_row *options_table(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

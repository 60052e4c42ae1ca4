//! The long texts of the help: what a command does, examples first, and the topics of `tidegate help`.

pub const ROOT: &str = "\
Moves a service's traffic to a new version, and back.

Examples:
  # What is routed where
  tidegate status -n sockshop-production

  # A fifth of it to the new version: in the route's order, or by name
  tidegate shift carts --weights 80/20
  tidegate shift carts --weights blue=80,green=20

  # All of it, or back as it was
  tidegate promote carts
  tidegate rollback carts

  # The whole story in a cluster on this machine
  tidegate demo";

pub const MORE: &str = "Topics: tidegate help exit-codes|environment|formats|gates|gitops|rbac|weights";

pub const SHIFT: &str = "\
Set the weights of a service's routes, in one guarded patch an object.

Examples:
  # In the order in which the route lists its destinations
  tidegate shift carts --weights 80/20

  # By name; other destinations of the route keep their share
  tidegate shift carts --weights blue=80,green=20

  # One request in a thousand
  tidegate shift carts --weights 999/1

  # Several services as one: all change, or none
  tidegate shift product recommendation review --weights old=0,new=100

  # Only the plan, or the document for `kubectl patch --type=json`
  tidegate shift carts --weights 80/20 --dry-run
  tidegate shift carts --weights 80/20 --dry-run -o json

The first shift of a service begins a release: it records the weights as they
were, and `tidegate rollback` puts them back. See `tidegate help weights`.";

pub const PROMOTE: &str = "\
Give the candidate everything, and end the release.

Examples:
  # The candidate of the release in progress
  tidegate promote carts

  # A destination by name, where no release says which is meant
  tidegate promote carts --to green

Asks on a terminal; `--yes` answers. `tidegate rollback` takes a promotion back,
too.";

pub const ROLLBACK: &str = "\
Put traffic back as it was before the release began: one read, one stored patch.

Examples:
  # As it was before the release began
  tidegate rollback carts

  # As a revision of the history left it
  tidegate rollback carts --to-revision 3

  # Everything to one destination, whatever was recorded
  tidegate rollback carts --to blue

Needs no metrics and no files, asks nothing outside protected namespaces, and
keeps trying while an admission webhook cannot be reached.";

pub const STATUS: &str = "\
Show what is routed where, who changed it, and which release is in progress.

Examples:
  # The namespace of the context
  tidegate status

  # One service, in full
  tidegate status carts -o wide

  # Everything, as it changes
  tidegate status -A --watch

SHARE is a destination's part of the requests that take its route. READY counts
the endpoints that its subset selects. CHANGED says who wrote the routes last:
the person of the record, or, where the weights are not the recorded ones, the
field manager.";

pub const HISTORY: &str = "\
Show the recorded changes of a service, the newest last.

Examples:
  # What was changed, by whom and why
  tidegate history carts

  # And back to one of them
  tidegate rollback carts --to-revision 3";

pub const EVALUATE: &str = "\
Grade a version by its metrics: may it have the traffic?

Examples:
  # The candidate of the release in progress, by the mesh's own metrics
  tidegate evaluate carts --require 'success-rate>=99' --require 'p95<500ms'

  # Against the stable side, over the same time
  tidegate evaluate carts --require 'error-rate<=stable+1%' --timeframe 10m

  # A gate file of keptn, asked of a Prometheus
  tidegate evaluate --gate perfspec.json --prometheus http://localhost:9090

  # Values that are there already, from a load test
  tidegate evaluate --gate perfspec.json --values results.json

No data is never a pass: until there is enough, the verdict is inconclusive, and says how much is missing.";

pub const LINT: &str = "\
Check gate files: keys that nobody reads, limits that never hold or always do,
queries that are no PromQL.

Examples:
  # One file, or all below a directory
  tidegate lint perfspec.json
  tidegate lint .

  # In a pipeline: warnings fail, too
  tidegate lint gates --strict -o json

  # Windows must hold two scrapes
  tidegate lint slo.yaml sli.yaml --scrape-interval 30s

Exits with 2 where something is wrong. See `tidegate help gates`.";

pub const COMPLETION: &str = "\
Print the shell completion script.

Examples:
  # bash, for this session
  source <(tidegate completion bash)

  # zsh, for good
  tidegate completion zsh > \"${fpath[1]}/_tidegate\"

  # fish, for good
  tidegate completion fish > ~/.config/fish/completions/tidegate.fish

Completes services, namespaces and destinations from the cluster, too. For
`kubectl tidegate`, put completions/kubectl_complete-tidegate into the PATH.";

pub const VERSION: &str = "\
Print the version of this program, and of the API server where there is a
kubeconfig.

Examples:
  # Without asking a server
  tidegate version --client";

pub const HELP: &str = "\
Print help on a command or a topic.

Examples:
  # A command
  tidegate help shift

  # A topic
  tidegate help exit-codes";

/// A topic of `tidegate help`.
pub struct Topic {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Its text; empty for the exit codes, which are printed from their table.
    pub text: &'static str,
}

/// The topics, in alphabetical order.
pub const TOPICS: [Topic; 7] = [
    Topic { name: "environment", about: "variables and files", text: ENVIRONMENT },
    Topic { name: "exit-codes", about: "what the exit codes mean", text: "" },
    Topic { name: "formats", about: "the keys of -o json", text: FORMATS },
    Topic { name: "gates", about: "the gate files that are read, and what differs", text: GATES },
    Topic { name: "gitops", about: "Argo CD, Flux, Helm and other owners", text: GITOPS },
    Topic { name: "rbac", about: "the rights that are needed", text: RBAC },
    Topic { name: "weights", about: "what weights mean and how they are divided", text: WEIGHTS },
];

const ENVIRONMENT: &str = "\
A flag counts before the environment, the environment before the project's file,
that before the user's file.

Variables:
  KUBECONFIG                kubeconfig files, as kubectl reads them
  HTTPS_PROXY, NO_PROXY     the proxy to the API server; who is reached without
  TIDEGATE_NAMESPACE        --namespace
  TIDEGATE_CONTEXT          --context
  TIDEGATE_TIMEOUT          --timeout (otherwise 60s)
  TIDEGATE_REQUEST_TIMEOUT  --request-timeout (otherwise 30s)
  TIDEGATE_FIELD_MANAGER    --field-manager (otherwise tidegate)
  TIDEGATE_PROMETHEUS       evaluate --prometheus
  TIDEGATE_BY               who changes something, for the history (otherwise
                            USER, LOGNAME or the user of the kubeconfig)
  NO_COLOR, CLICOLOR_FORCE  no colour; colour even where there is no terminal

Files, both optional, in YAML:
  tidegate.yaml             in the working directory: the project's
  tidegate/config.yaml      in $XDG_CONFIG_HOME, else ~/.config: the user's

Their keys are the flags' names:
  namespace: sockshop-production
  context: gke-eu
  kubeconfig: clusters.yaml
  timeout: 2m
  request-timeout: 10s
  field-manager: tidegate
  # changes there need --yes, or an answer on a terminal
  protected-namespaces: [sockshop-production]
";

const FORMATS: &str = "\
-o table   for people; on a terminal times are ages, otherwise RFC 3339
-o wide    the same with hosts, route names and conditions
-o name    KIND.GROUP/NAME, one a line
-o json    one document; with --watch one a line
-o yaml    the same as YAML

status: a list of services
  service       namespace, name, hosts, release {id, phase, since, by},
                changed {at, by}, managedBy, routes
  route         route, name, only, reachable, drifted, action, destinations
  destination   name, host, subset, weight, share (0 to 1), role, ready,
                endpoints

history: a list of revisions
  revision      revision, at, by, verb, routes {ROUTE: {NAME: WEIGHT}}, reason,
                current

shift, promote, rollback: a list of changes
  change        object, namespace, name, error, routes,
                result (changed, unchanged, refused, unknown, undone, stuck,
                left)
  route         route, name, destinations
  destination   name, before, after

With --dry-run, for one object: the RFC 6902 document that
`kubectl patch --type=json` accepts; for several a list of
{object, namespace, patch}.

evaluate: format, verdict (pass, warning, fail, inconclusive), reason, message,
                error, score, maxScore, objectives {pass, warning}, compared,
                notes, indicators, basis (the gate file and what was measured:
                --from-evidence comes to the same verdict)
  indicator     id, source, query, values, limits, score, maxScore, status, why,
                breaches, compared, key

lint: a list of findings
  finding       file, format, severity (error, warning, note), message,
                position {line, column}, pointer (RFC 6901; in a file of several
                documents it begins with /0, /1 …)

version: client, server

Absent means unknown or not applicable. New keys may be added; the meaning of
these stays.
";

const GATES: &str = "\
evaluate --gate FILE tells the format by what the file holds.

perfspec.json            keptn 0.2 to 0.5 (Pitometer): thresholds, points, sum.
                         No value is no pass; a threshold of 0 counts
slo.yaml                 keptn 0.6 and later: criteria, weights, per cent.
                         Its queries: --sli sli.yaml
service-objectives.yaml  keptn 0.5: one upper limit a metric. Its queries:
                         --sli service-indicators.yaml
AnalysisTemplate         Argo Rollouts: conditions on a result, arguments with
                         --arg k=v. The `count` measurements are taken at once,
                         at the intervals before the window's end; NaN and an
                         empty vector are not measured, and so inconclusive
Canary, MetricTemplate   flagger: ranges. One check decides, not `threshold` of
                         them; of several series each must hold. Templates in a
                         file of their own: --sli templates.yaml
canary configuration     Kayenta (JSON): metrics of two sides, compared by its
                         judge: --values FILE, or its PromQL asked with
                         --arg control=NAME --arg experiment=NAME as ${scope}

Two sources that are not Prometheus are asked: Dynatrace, and web pages. For
others the values can be given with --values FILE. The same gate with the same
values comes to the same verdict: -o json, then --from-evidence FILE.

`tidegate lint FILE` says what in a file cannot be meant, and as a note what has
another meaning here than where the file comes from.
";

const GITOPS: &str = "\
Where Git owns a virtual service, a change of the live object is temporary:
Argo CD puts Git's weights back at its next sync (within 3 minutes; within 5
seconds where it heals itself), Flux at its next interval, Helm at the next
upgrade. flagger and Argo Rollouts write the weights of their own objects at
once. tidegate warns when it sees their marks.

For weights that live outside Git, let the operator leave them alone.

Argo CD, in the Application:
  spec:
    ignoreDifferences:
    - group: networking.istio.io
      kind: VirtualService
      name: carts
      jqPathExpressions: [\".spec.http[].route[].weight\"]
    syncPolicy:
      syncOptions: [RespectIgnoreDifferences=true, ApplyOutOfSyncOnly=true]

  Without RespectIgnoreDifferences the next sync still writes Git's weights. tcp
  and tls routes need expressions of their own. Do not ignore the field manager
  `tidegate` as a whole: lists are owned as a whole, so this would hide every
  change of the routes.

Flux, in the Kustomization (recent versions):
  spec:
    ignore:
    - paths: [\"/spec/http/0/route/0/weight\", \"/spec/http/0/route/1/weight\"]
      target: {group: networking.istio.io, kind: VirtualService, name: carts}

  Older ones: `flux suspend kustomization NAME` while the release runs.
  `ssa: Merge` does not help: lists are atomic.

Helm: the weights of the chart's values come back with each upgrade; set them to
the new state before the next one.
";

const RBAC: &str = "\
# A role for the namespace of the services:
#   tidegate help rbac | kubectl apply -n NAMESPACE -f -
# Bind it to who runs tidegate. With --no-preflight the first rule is enough;
# `status -A` needs list on all of these but namespaces, in a ClusterRole.
# `evaluate` without --prometheus needs get on services and services/proxy where
# Prometheus runs.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: tidegate
rules:
- apiGroups: [networking.istio.io]
  resources: [virtualservices]
  verbs: [get, list, watch, patch]
# the checks before a change
- apiGroups: [networking.istio.io]
  resources: [destinationrules]
  verbs: [list]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list]
- apiGroups: [\"\"]
  resources: [pods]
  verbs: [list]
# whether the namespace is protected
- apiGroups: [\"\"]
  resources: [namespaces]
  verbs: [get]
";

const WEIGHTS: &str = "\
A destination's share is its weight over the sum of the route's weights. A
missing weight is 0 beside others; a single destination gets everything,
whatever its weight.

  80/20           in the order in which the route lists its destinations, which
                  is not their role: every output says what it means by name
  old=80,new=20   by subset, by host where there are no subsets, or as
                  HOST/SUBSET

The numbers must sum to 100, or to 1000 or 10000 for finer shares. Destinations
that are not named keep their share, and the named ones divide the rest; what
does not come out even goes by the largest remainder.

Naming a subset that a single-destination route does not have yet adds it beside
the one there is.

Routes are found by their destinations, not by their place. Several routes that
hold the same destinations with the same weights are moved together; where they
differ, `--route NAME`, `--route http[1]` or `--route all` chooses.

Roles: the release knows which side is stable and which the candidate. It begins
with the first shift: what had everything is stable, what gains is the
candidate. Where that is not certain, `promote` and `rollback` ask for `--to`.
";

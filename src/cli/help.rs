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

pub const MORE: &str = "Topics: tidegate help delivery|exit-codes|environment|formats|gates|gitops|rbac|sources|tests|weights";

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

  # Manifests in a Git checkout instead of a cluster
  tidegate shift carts -f k8s --weights 80/20 --commit

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

  # Manifests: as in the newest version in Git with one destination only
  tidegate rollback carts -f k8s --commit

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

  # Manifests instead of a cluster
  tidegate status -f k8s

SHARE is a destination's part of the requests that take its route. READY counts
the endpoints that its subset selects. CHANGED says who wrote the routes last:
the person of the record, or, where the weights are not the recorded ones, the
field manager.

Of a project's service it says where it is reached from outside, and of a
delivery under way: where it stands, what it waits for, whether somebody drives
it, and the commands that go on and go back. --watch reads deliveries every ten
seconds.";

pub const HISTORY: &str = "\
Show the recorded changes of a service, and where it belongs to a project its
deliveries stage by stage; the newest last.

Examples:
  # What was changed, by whom and why
  tidegate history carts

  # And back to one of them
  tidegate rollback carts --to-revision 3

As JSON and YAML it is the changes alone; `tidegate get runs -o json` has the
deliveries.";

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
pub const TOPICS: [Topic; 10] = [
    Topic { name: "delivery", about: "projects, stages, and what lies where", text: DELIVERY },
    Topic { name: "environment", about: "variables and files", text: ENVIRONMENT },
    Topic { name: "exit-codes", about: "what the exit codes mean", text: "" },
    Topic { name: "formats", about: "the keys of -o json", text: FORMATS },
    Topic { name: "gates", about: "the gate files that are read, and what differs", text: GATES },
    Topic { name: "gitops", about: "Argo CD, Flux, Helm and other owners", text: GITOPS },
    Topic { name: "rbac", about: "the rights that are needed", text: RBAC },
    Topic { name: "sources", about: "where the numbers of a gate come from", text: SOURCES },
    Topic { name: "tests", about: "how a version is tested: tests.yaml", text: TESTS },
    Topic { name: "weights", about: "what weights mean and how they are divided", text: WEIGHTS },
];

const TESTS: &str = "\
A tests.yaml says how a stage tests a version; `add-resource` keeps it.

  through: pods         the version's own pods, without traffic, by the API
                        server; or service, if it leads nowhere else; or
                        ingress; or `url: https://…`
  timeout: 10s          of one request
  functional:           each once, no failure allowed
    path: /health       the health check comes first
    checks:
    - /carts/1/items
    - {method: POST, path: /carts/1/items, headers: {X: y}, body: {n: 1}}
  performance:          users who ask again and again
    users: 10
    loops: 500          or `duration: 2m`
    think: 250ms        before each request
    allowedErrors: 10%
    requests: [/carts]

These values of users, loops, think and allowedErrors hold where none are given,
and without a file /health is asked. In a section or for both:
  command: [jmeter, -n, -t, load.jmx, -JSERVER_URL=$(SERVER_URL),
            -JSERVER_PORT=$(SERVER_PORT), -JVUCount=$(VUCount)]
  command: k6 run load.js               a line for the shell
  job: {image: k6:1, command: [k6, run], env: {A: b}, keep: true}
  functional: none                      not at all
Exit code 0 passes; JMeter's `summary =` line is counted against allowedErrors.

Variables: TARGET_URL, SERVER_URL (host), SERVER_PORT, CHECK_PATH, PROJECT,
STAGE, SERVICE, NAMESPACE, IMAGE, TAG, VUCount, LoopCount, ThinkTime, DT_LTN.
A command reaches the version by a port on 127.0.0.1 that is open while it runs
and passes requests on; a Job by its address in the cluster.

Where the mesh lets in no plain text (a PeerAuthentication that is STRICT), pods
can only be asked `through: ingress`, with the traffic that they have: a
blue/green stage then needs `--share` or `--keptn-order`, and its smoke test is
left out. What cannot reach the version is refused before anything is touched.
";

const DELIVERY: &str = "\
An artifact walks through the stages of its project's shipyard:

  stages:
  - name: dev
    deployment_strategy: direct       one deployment gets the new image
    test_strategy: functional         tested once, no failure allowed
  - name: staging
    deployment_strategy: blue_green   two versions, of which one has the traffic
    test_strategy: performance        tested under load, then judged by the gate
  - name: production
    deployment_strategy: blue_green
    approval_strategy: {pass: manual} somebody lets it in: pass, warning

Shipyards with `apiVersion: spec.keptn.sh/0.2.x` are read, too. What has no
meaning here is named when the project is made.

Where it lies, all in the cluster:
  namespaces    {project}-{stage}, with the labels tidegate/project and
                tidegate/stage; istio-injection=enabled where traffic is split
  configmap     tidegate-project in the first stage's namespace: the shipyard,
                and the files of `add-resource`
  files         [STAGE.][SERVICE.]NAME, the most special counts: perfspec.json
                or slo.yaml with sli.yaml are gates, tests.yaml says the tests

What `onboard service carts` makes in a stage:
  direct          deployment, service, virtual service
  blue_green      deployments carts-blue and carts-green, one service, a
                  destination rule with both subsets, a virtual service with
                  blue 0 and green 100: the first new version goes to blue
  --layout primary-canary
                  deployments carts-primary and carts (the canary), a service
                  and a destination rule for each, canary 0 and primary 100
  and a gateway where the address of the ingress is known or `--domain` says it.
A service that has these objects already needs no onboarding. One that was
onboarded with `--deployment-strategy direct`, as a database, is replaced in
place in every stage; the built-in tests leave out what speaks no HTTP.

What `send new-artifact` does in a stage, and what a failure leads to:
  deploy      to the side without traffic, or in place    the previous image
  smoke       it answers, without traffic                 the end
  share       a part of the traffic, where the gate       the weights as they
              needs some                                  were, in one patch
  tests       as tests.yaml or the built-in ones say      the same
  evaluate    the gate: pass and warning go on            the same
  all traffic the version before stays, without traffic   the same
A stage that does not pass ends the run. Its state is a ConfigMap in the first
stage's namespace: `status` and `get runs` show it; `resume`, `approve` and
`abort` act on it from any machine.

A gate file's query knows no versions: while the new pods have no series it
would be answered by the old ones. Where series name their pod or deployment,
one must be the new version's; else there is no verdict yet. A query that sums
over all pods cannot be held to that: let it keep `by (pod)`, or use --require.
";

const ENVIRONMENT: &str = "\
A flag counts before the environment, the environment before the project's file,
that before the user's file.

Variables:
  KUBECONFIG                kubeconfig files, as kubectl reads them
  HTTPS_PROXY, HTTP_PROXY   the proxy to the API server and to metrics sources
  NO_PROXY                  who is reached without
  TIDEGATE_NAMESPACE        --namespace
  TIDEGATE_CONTEXT          --context
  TIDEGATE_TIMEOUT          --timeout (otherwise 60s)
  TIDEGATE_REQUEST_TIMEOUT  --request-timeout (otherwise 30s)
  TIDEGATE_FIELD_MANAGER    --field-manager (otherwise tidegate)
  TIDEGATE_PROMETHEUS       evaluate --prometheus
  TIDEGATE_PROMETHEUS_TOKEN, TIDEGATE_PROMETHEUS_BASIC
                            its bearer token, or its user:password
  TIDEGATE_DYNATRACE        evaluate --dynatrace
  DT_API_TOKEN              the API token for Dynatrace
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
  # where metrics come from; also prometheus-token-file, -basic-file, -ca,
  # -cert, -key and -proxy, and dynatrace-token-file
  prometheus: https://prometheus.example.com
  dynatrace: https://abc12345.live.dynatrace.com
";

const FORMATS: &str = "\
-o table   for people; on a terminal times are ages, otherwise RFC 3339
-o wide    the same with hosts, route names and conditions
-o name    KIND.GROUP/NAME, one a line
-o json    one document; with --watch one a line
-o yaml    the same as YAML

status: a list of services
  service       namespace, name, file, hosts, release {id, phase, since, by},
                changed {at, by}, managedBy, routes; of a project: project,
                stage, url, delivery
  delivery      run, image, status (running, waiting, stuck), stage, phase,
                waitsFor, started, by, driven, driver, continue, abort (the
                commands)
  route         route, name, only, reachable, drifted, action, destinations
  destination   name, host, subset, weight, share (0 to 1), role, ready,
                endpoints

history: a list of revisions
  revision      revision, at, by, verb, routes {ROUTE: {NAME: WEIGHT}},
                only {ROUTE: CONDITION}, reason, current;
                where the service has several objects: object

shift, promote, rollback: a list of changes
  change        object, namespace, name, file, error, routes,
                result (changed, unchanged, refused, unknown, undone, stuck,
                left)
  route         route, name, destinations
  destination   name, before, after

With --dry-run, for one object: the RFC 6902 document that
`kubectl patch --type=json` accepts; for several, and with -f, a list of
{object, namespace, file, patch}.

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

get projects: name, stages {stage, namespace}, resources
get stages: project, name, namespace, deployment, test, approval, timeframe
get services: project, service, stage, image, ready, replicas, url, gate
get artifacts: project, service, stage, version, deployment, image, weight,
                ready, replicas, url

create, onboard: the objects themselves, and nothing is written

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

Or move the traffic in a checkout, and let the operator follow:

  tidegate shift carts -f k8s --weights 80/20 --diff --commit && git push
  tidegate status -f k8s
  tidegate promote carts -f k8s --commit
  tidegate rollback carts -f k8s --commit
  kustomize build prod | tidegate shift carts -f - --weights 80/20

`-f` takes files, directories with all below them, and `-`, and asks no cluster.
Nothing but the weights' bytes changes, and all files are edited or none. Of
several objects for one service, as in overlays, `-f` or `-n` chooses. What a
Helm template takes from the values is edited there: those of its chart, or
--values FILE, which a chart within another one needs. Weights that a template
computes are refused.

In a work tree, files with changes that are not committed are left alone, unless
with --allow-dirty. --commit commits exactly what was edited. The history is
Git's: `rollback` goes back to the newest version in which each route sends
everything to one destination, `promote` goes on from there.
";

const RBAC: &str = "\
# A role for the namespace of the services:
#   tidegate help rbac | kubectl apply -n NAMESPACE -f -
# Bind it to who runs tidegate. With --no-preflight the first rule is enough;
# `status -A` needs list on all of these but namespaces, in a ClusterRole.
# `status` and `history` show deliveries to who may list namespaces, and in the
# first stage's namespace configmaps and leases.
# `evaluate` without --prometheus needs get on services and services/proxy where
# Prometheus runs; it reads the Secrets tidegate-prometheus and dynatrace of the
# namespace, and keptn/dynatrace, where it may.
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
---
# For projects, in each namespace of their stages beside the role above. `create
# project`, `delete project` and `get` need create, patch, delete and list on
# namespaces as well, in a ClusterRole.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: tidegate-project
rules:
- apiGroups: [networking.istio.io]
  resources: [virtualservices, destinationrules, gateways]
  verbs: [get, list, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, create, patch]
- apiGroups: [\"\"]
  resources: [services, configmaps]
  verbs: [get, list, create, patch, delete]
# `send new-artifact`: who drives, how the version is asked, what is noted
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, create, patch]
- apiGroups: [\"\"]
  resources: [pods/proxy, services/proxy]
  verbs: [get, create]
# whether the mesh lets tests in; in istio-system, too
- apiGroups: [security.istio.io]
  resources: [peerauthentications]
  verbs: [list]
# what a chart's pods need
- apiGroups: [\"\"]
  resources: [serviceaccounts, secrets, persistentvolumeclaims]
  verbs: [get, create]
# tests that are a Job
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, create, delete]
- apiGroups: [\"\"]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [\"\"]
  resources: [events]
  verbs: [list, create]
";

const SOURCES: &str = "\
A gate's queries are asked side by side, each of the source that it names,
within one deadline (--timeout). What is not answered is never a pass.

Prometheus, Thanos, Mimir, VictoriaMetrics
  --prometheus URL, else the settings' file, else the Secret of
  `configure monitoring --in-cluster`, else what is found in the cluster.
  --prometheus-token-file, -basic-file, -cert with -key, -ca, -header, -proxy.

Dynatrace
  --dynatrace URL with the token in DT_API_TOKEN or --dynatrace-token-file, else
  the Secret `dynatrace` (DT_TENANT, DT_API_TOKEN) of the namespace or of keptn.
  Its data are complete two minutes after the end of a window: they are waited
  for, so give a --timeout of some minutes, or --start and --end.
  A perfspec without entityIds and tags is about the service with the most
  requests among those with the tags service:SERVICE and
  environment:PROJECT-STAGE.

In an sli.yaml a text is a query to Prometheus, or to Dynatrace where it has its
form (metricSelector=..., SELECTOR?scope=..., MV2;, SLO;, PV2;, SECPV2;, USQL;)
or no other source is named. A map names the source:

  indicators:
    requests: sum(rate(http_requests_total{job='$SERVICE'}[$DURATION_SECONDS]))
    p95: {dynatrace: 'metricSelector=builtin:service.response.time:...'}
    load:
      web:
        url: https://results.example.com/$STAGE/latest
        headers: {Authorization: 'Bearer ${RESULTS_TOKEN}'}
        jsonPath: $.p95          # true and false count as 1 and 0
        timeout: 10s             # also: method, body
    smoke: {command: [./smoke.sh, --quick]}
    probe: {command: {run: [sh, -c, 'probe $SERVICE'], value: exitCode}}

${VAR} in a URL or header is a variable of the environment. A command is run
without a shell, and its number is the last line that it prints (or, where it
says so, its exit code). It finds PROJECT, STAGE, SERVICE, LABEL_name, START,
END and DURATION_SECONDS in its environment; at the deadline it is killed with
all that it started.
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

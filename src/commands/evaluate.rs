//! `evaluate`: may this version have the traffic?

use super::Context;
use crate::cli::{Evaluate, FailOn, Inconclusive, Judge, Report};
use crate::cluster::Cluster;
use crate::core::gate::evaluation::{Answer, Evaluation, Evidence, Format, Previous, Status, Verdict, Window};
use crate::core::gate::placeholders::Context as Placeholders;
use crate::core::gate::prometheus as answers;
use crate::core::gate::require::{self, Indicator, Sampled, Side, Target, Term};
use crate::core::gate::sli::Sli;
use crate::core::gate::{self, Gate, perfspec, slo, values};
use crate::core::host;
use crate::core::release::Role;
use crate::core::select::Service;
use crate::error::{Error, Kind, Result};
use crate::metrics::{Access, Ask, Direct, Prometheus, Transport};
use crate::settings::Settings;
use crate::ui::{self, data};
use futures_util::StreamExt as _;
use std::io::Read as _;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The window where none is given, as keptn's.
const TIMEFRAME: Duration = Duration::from_secs(300);

/// The pause between two looks while too little is known.
const LOOK: Duration = Duration::from_secs(5);

/// The length of an interval in seconds, as long as most scrape intervals.
const STEP: i64 = 15;

/// Data older than this many seconds says nothing about now: a target that is gone would look healthy.
const STALE: f64 = 90.0;

/// So many queries are asked at once.
const CONCURRENCY: usize = 8;

pub async fn run(context: &Context, arguments: Evaluate) -> Result<()> {
    if let Some(file) = &arguments.from_evidence {
        return conclude(context, &arguments, &gate::regrade(&title(file), &text_of(file)?)?);
    }
    let given = match &arguments.values {
        Some(file) => Some(values::values(&title(file), &text_of(file)?)?),
        None => None,
    };
    if let (Some(Judge::Kayenta), Some(given)) = (arguments.judge, &given) {
        return super::judge::run(context, &arguments, given.pairs.clone());
    }
    let gate = read(context, &arguments)?;
    let previous = previous(&arguments, &gate)?;
    if arguments.show_queries {
        return show(context, &arguments, &gate).await;
    }
    if let Some(given) = given {
        if matches!(gate, Gate::Require(_)) {
            return Err(Error::usage("--require is measured; --values goes with --gate or --judge"));
        }
        if let Some(pair) = given.pairs.first() {
            return Err(Error::usage(format!("`{}` has values of both sides, and a gate file grades one", pair.metric))
                .hint("`--judge kayenta` compares them"));
        }
        let evidence = Evidence { window: window(&arguments, None).ok(), answers: given.answers, previous };
        return conclude(context, &arguments, &gate.grade(evidence));
    }
    // What the files lack is said before anybody is asked.
    asked(&gate, &arguments, window(&arguments, None)?)?;
    let settings = Settings::resolve(&context.global.connection, arguments.timeout)?;
    let deadline = Instant::now() + settings.timeout;
    let mut source = Source::find(context, &arguments, &settings).await?;
    loop {
        let measure = source.measure(&arguments, &gate, &previous);
        let evidence = tokio::time::timeout(deadline.saturating_duration_since(Instant::now()), measure).await;
        let late = |_| {
            Error::new(
                Kind::Timeout,
                format!("the metrics source did not answer within {} s (--timeout)", settings.timeout.as_secs_f64()),
            )
        };
        let result = gate.grade(evidence.map_err(late)??);
        let open =
            result.verdict == Verdict::Inconclusive && arguments.on_inconclusive == Inconclusive::Wait && arguments.end.is_none();
        if !open || Instant::now() + LOOK >= deadline {
            return conclude(context, &arguments, &result);
        }
        context.ui.say(&format!("inconclusive: {}\n", result.reason));
        tokio::time::sleep(LOOK).await;
    }
}

/// Reads the gate; what is doubtful in its file is a warning.
fn read(context: &Context, arguments: &Evaluate) -> Result<Gate> {
    let Some(file) = &arguments.gate else {
        let gate = Gate::require(arguments.require.iter().map(String::as_str));
        return gate.map_err(|error| error.hint("`tidegate help evaluate` has examples"));
    };
    let text = text_of(file)?;
    let name = title(file);
    let gate = Gate::parse(&name, &text)?;
    Gate::lint(&text).iter().for_each(|finding| context.ui.say(&format!("{}\n", finding.render(&name, &text))));
    Ok(gate)
}

/// The earlier evaluations that the gate compares with.
fn previous(arguments: &Evaluate, gate: &Gate) -> Result<Vec<Previous>> {
    let Some(file) = &arguments.compare_with else { return Ok(Vec::new()) };
    let history = values::previous(&title(file), &text_of(file)?)?;
    Ok(match gate {
        Gate::Slo(slo) => slo.comparison.choose(history),
        _ => history,
    })
}

/// What placeholders stand for.
fn placeholders(arguments: &Evaluate, window: Window) -> Result<Placeholders> {
    let label = |text: &String| {
        let pair = text.split_once('=').ok_or_else(|| Error::usage(format!("`{}` is not K=V", text.escape_debug())))?;
        Ok::<_, Error>((pair.0.to_owned(), pair.1.to_owned()))
    };
    Ok(Placeholders {
        project: arguments.project.clone(),
        stage: arguments.stage.clone(),
        service: arguments.service.clone(),
        labels: arguments.label.iter().map(label).collect::<Result<_>>()?,
        seconds: Some(seconds(window.end - window.start)),
        ..Placeholders::default()
    })
}

/// What errors call a file.
fn title(file: &Path) -> String {
    if file == Path::new("-") { "standard input".into() } else { file.display().to_string() }
}

fn text_of(file: &Path) -> Result<String> {
    let cannot = |error: std::io::Error| Error::usage(format!("cannot read {}", file.display())).caused_by(error.to_string());
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(cannot)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(cannot)
}

/// The window in seconds: from `--start` to `--end`, else the last `--timeframe`.
fn window(arguments: &Evaluate, now: Option<i64>) -> Result<Window> {
    let time = |text: &str| {
        text.parse::<jiff::Timestamp>()
            .map_err(|_| Error::usage(format!("`{}` is not a time: write 2026-01-31T12:00:00Z", text.escape_debug())))
    };
    let end = match &arguments.end {
        Some(text) => time(text)?.as_second(),
        None => now.unwrap_or_else(|| jiff::Timestamp::now().as_second()),
    };
    let start = match &arguments.start {
        Some(text) => time(text)?.as_second(),
        None => {
            let span = arguments.timeframe.unwrap_or(TIMEFRAME);
            end - i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
        }
    };
    Window::new(start, end)
}

/// Where the numbers come from, and for `--require` whose they are.
struct Source {
    prometheus: Prometheus<'static>,
    sides: Option<Sides>,
    /// Where the first look's window began. Later looks add to its evidence: a window that moved along would be a new test
    /// at every look, and many tests fail a good version in the end.
    begun: Option<i64>,
}

/// The sides of a release, as the metrics tell them apart.
struct Sides {
    candidate: Side,
    stable: Option<Side>,
}

impl Source {
    async fn find(context: &Context, arguments: &Evaluate, settings: &Settings) -> Result<Self> {
        let needs_cluster = arguments.prometheus.is_none() || !arguments.require.is_empty();
        let cluster = match needs_cluster {
            true => Some(Rc::new(Cluster::connect(&settings.connection).await?)),
            false => None,
        };
        let sides = match (&cluster, arguments.require.is_empty()) {
            (Some(cluster), false) => Some(sides(cluster, arguments).await?),
            _ => None,
        };
        let transport = match (&arguments.prometheus, cluster) {
            (Some(url), _) => Transport::Direct(Box::new(Direct::new(url, &access(arguments, settings)?)?)),
            (None, Some(cluster)) => through(context, cluster).await?,
            (None, None) => return Err(Error::usage("no metrics source: name one with `--prometheus URL`")),
        };
        Ok(Self {
            prometheus: Prometheus { transport, patience: settings.connection.request_timeout.as_secs_f64().min(60.0) },
            sides,
            begun: None,
        })
    }

    async fn measure(&mut self, arguments: &Evaluate, gate: &Gate, previous: &[Previous]) -> Result<Evidence> {
        let mut window = match &arguments.end {
            Some(_) => window(arguments, None)?,
            None => window(arguments, Some(self.clock().await?))?,
        };
        if matches!(gate, Gate::Require(_)) {
            window.start = *self.begun.get_or_insert(window.start);
        }
        let answers = match gate {
            Gate::Require(terms) => self.terms(terms, window).await?,
            file => self.instant(asked(file, arguments, window)?, window).await?,
        };
        Ok(Evidence { window: Some(window), answers, previous: previous.to_vec() })
    }

    /// The source's time in whole seconds: windows must not depend on two clocks that agree.
    async fn clock(&self) -> Result<i64> {
        let answer = self.prometheus.clock().await?;
        let now = body(&answer.body).ok().filter(|_| (200..300).contains(&answer.status)).and_then(|body| require::latest(&body));
        #[allow(clippy::cast_possible_truncation)] // the source's time, in seconds
        now.map(|now| now.floor() as i64).ok_or_else(|| {
            let why = answers::refusal(answer.status, &answer.body);
            Error::new(Kind::Unreachable, format!("what answers is no Prometheus: {why}"))
        })
    }

    /// One value a query, at the end of the window.
    async fn instant(&self, queries: Vec<(String, String)>, window: Window) -> Result<Vec<Answer>> {
        let asking = queries.into_iter().enumerate().map(|(place, (id, query))| async move {
            let answer = self.prometheus.instant(&query, seconds(window.end)).await.map(|answer| {
                let samples = match answer.status {
                    200..300 => body(&answer.body).and_then(|body| answers::samples(&body)),
                    status => Err(answers::refusal(status, &answer.body)),
                };
                match samples {
                    Ok(samples) => Answer { query: Some(query.clone()), ..Answer::new(id.clone(), samples) },
                    Err(why) => Answer { query: Some(query.clone()), ..Answer::refused(id.clone(), why) },
                }
            });
            (place, answer)
        });
        let mut answers: Vec<(usize, Result<Answer>)> =
            futures_util::stream::iter(asking).buffer_unordered(CONCURRENCY).collect().await;
        answers.sort_by_key(|(place, _)| *place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// The counts that the terms need: each counter is asked for once, whatever the number of terms.
    async fn terms(&self, terms: &[Term], window: Window) -> Result<Vec<Answer>> {
        let Some(sides) = &self.sides else { return Err(Error::usage("--require needs the name of a service")) };
        let fresh = self.prometheus.instant(&require::freshness(&sides.candidate.service), seconds(window.end)).await?;
        let newest = body(&fresh.body).ok().and_then(|body| require::latest(&body));
        let age = newest.map(|newest| seconds(window.end) - newest);
        if age.is_none_or(|age| age > STALE) {
            let why = match age {
                None => format!("the source has no requests to {}", sides.candidate.service),
                Some(age) => format!("the newest data of {} is {age:.0} s old", sides.candidate.service),
            };
            return Ok(terms.iter().map(|term| Answer::refused(term.text.clone(), why.clone())).collect());
        }
        let compares = terms.iter().any(Term::compares);
        if compares && sides.stable.is_none() {
            return Err(Error::usage("`stable` is not known: no release says which side it is")
                .hint("name it with `--stable NAME --candidate NAME`"));
        }
        let candidate = sampled(&self.prometheus, &sides.candidate, terms, window, STEP).await?;
        let (stable, history) = match &sides.stable {
            Some(side) => {
                let before = Window { start: window.start - 3600, end: window.start };
                let now = sampled(&self.prometheus, side, terms, window, STEP).await?;
                (Some(now), Some(sampled(&self.prometheus, side, terms, before, STEP).await?))
            }
            None => (None, None),
        };
        Ok(terms
            .iter()
            .map(|term| require::answer(term, &sides.candidate, &candidate, stable.as_ref(), history.as_ref()))
            .collect())
    }
}

/// What a side did in a window: one query for its requests, one more where latencies are asked for.
async fn sampled(prometheus: &Prometheus<'_>, side: &Side, terms: &[Term], window: Window, step: i64) -> Result<Sampled> {
    let range = |query: String| async move {
        let answer = prometheus.range(&query, seconds(window.start), seconds(window.end), seconds(step)).await?;
        let refused = |why: String| Error::new(Kind::Unreachable, format!("the metrics source refused `{query}`: {why}"));
        match answer.status {
            200..300 => body(&answer.body).map_err(refused),
            status => Err(refused(answers::refusal(status, &answer.body))),
        }
    };
    let latencies = terms.iter().any(|term| matches!(term.indicator, Indicator::Latency(_)));
    let buckets = async {
        match latencies {
            true => range(require::query_buckets(side)).await.map(Some),
            false => Ok(None),
        }
    };
    let (requests, buckets) = tokio::try_join!(range(require::query_requests(side)), buckets)?;
    Sampled::read(&requests, buckets.as_ref())
        .map_err(|why| Error::new(Kind::Unreachable, format!("the metrics source answered oddly: {why}")))
}

/// The queries of a gate file, with their placeholders filled in.
fn asked(gate: &Gate, arguments: &Evaluate, window: Window) -> Result<Vec<(String, String)>> {
    let placeholders = placeholders(arguments, window)?;
    match gate {
        Gate::Perfspec(spec) => {
            let queries = spec.clone().resolve(&placeholders)?.queries()?;
            let one = |(id, query)| match query {
                perfspec::Query::Prometheus(text) => Ok((id, text)),
                other => Err(Error::usage(format!(
                    "indicator `{id}` asks Dynatrace ({}), which tidegate cannot ask yet",
                    other.line()
                ))
                .hint("give its values with `--values FILE`")),
            };
            queries.into_iter().map(one).collect()
        }
        Gate::Slo(slo) => {
            let file = arguments.sli.as_ref().ok_or_else(|| {
                Error::usage("an slo.yaml has no queries of its own")
                    .hint("name the file that has them with `--sli sli.yaml`, or give values with `--values FILE`")
            })?;
            Sli::parse(&title(file), &text_of(file)?)?.queries(slo, &placeholders)
        }
        Gate::Require(_) => Ok(Vec::new()),
    }
}

#[allow(clippy::cast_precision_loss)] // seconds since the epoch fit a double
fn seconds(time: i64) -> f64 {
    time as f64
}

fn body(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|_| "the answer is no JSON".into())
}

fn access(arguments: &Evaluate, settings: &Settings) -> Result<Access> {
    let token = arguments.prometheus_token_file.as_deref().map(text_of).transpose()?;
    let header = |text: &String| {
        let (name, value) =
            text.split_once(':').ok_or_else(|| Error::usage(format!("`{}` is not NAME: VALUE", text.escape_debug())))?;
        Ok::<_, Error>((name.trim().to_owned(), value.trim().to_owned()))
    };
    Ok(Access {
        token,
        headers: arguments.prometheus_header.iter().map(header).collect::<Result<_>>()?,
        certificate_authority: arguments.prometheus_ca.clone(),
        timeout: settings.connection.request_timeout,
    })
}

/// The cluster's own Prometheus, through the API server.
async fn through(context: &Context, cluster: Rc<Cluster>) -> Result<Transport<'static>> {
    let Some(place) = cluster.prometheus().await? else {
        return Err(
            Error::not_found("no Prometheus was found in the cluster at the usual places").hint("name it: `--prometheus URL`")
        );
    };
    context.ui.say(&format!("asking {}/{} through the API server\n", place.namespace, place.name));
    Ok(Transport::Through(Box::new(move |ask: Ask| {
        let (cluster, place) = (cluster.clone(), place.clone());
        Box::pin(async move {
            let form = crate::metrics::form(&ask.fields);
            let (query, body) = if ask.method == http::Method::POST { (String::new(), Some(form)) } else { (form, None) };
            let (status, body) = cluster.through(&place, &ask.path, &query, body).await?;
            Ok(crate::metrics::Answer { status, body })
        })
    })))
}

/// The candidate and the stable side of a service's release, or the whole service where there is none.
async fn sides(cluster: &Cluster, arguments: &Evaluate) -> Result<Sides> {
    let Some(name) = &arguments.service else { return Err(Error::usage("--require needs the name of a service")) };
    let found = cluster.find(&name.parse()?, false).await?;
    let service = found.services.first().ok_or_else(|| Error::not_found(format!("no virtual service for `{name}`")))?;
    let named = |given: &Option<String>, role: Role| given.clone().or_else(|| released(service, role));
    let candidate = match named(&arguments.candidate, Role::Candidate) {
        Some(label) => side(cluster, service, &label).await?,
        None => {
            let route = service.routes().find(|chosen| !chosen.route.destinations().is_empty());
            let chosen = route.ok_or_else(|| Error::not_found(format!("`{name}` has no destinations")))?;
            let host = host::resolve(&chosen.route.destinations()[0].host, &service.objects[chosen.object].namespace);
            Side { service: host, target: Target::Service }
        }
    };
    let stable = match named(&arguments.stable, Role::Stable)
        .filter(|_| candidate.target != Target::Service || arguments.stable.is_some())
    {
        Some(label) => Some(side(cluster, service, &label).await?),
        None => None,
    };
    Ok(Sides { candidate, stable })
}

/// The destination that has a role in the release in progress.
fn released(service: &Service, role: Role) -> Option<String> {
    let mut labels = service.objects.iter().flat_map(|object| {
        let release = object.release.as_ref();
        object
            .routes
            .iter()
            .flat_map(|route| route.weights())
            .filter(move |(label, _)| release.and_then(|release| release.role_of(label)) == Some(role))
    });
    labels.next().map(|(label, _)| label)
}

/// How the metrics know a destination: by its own service, by the version of its subset, or by its deployments.
async fn side(cluster: &Cluster, service: &Service, label: &str) -> Result<Side> {
    let found = service.routes().find_map(|chosen| Some((chosen, chosen.route.find(label).ok()?)));
    let (chosen, place) =
        found.ok_or_else(|| Error::not_found(format!("`{}` has no destination `{}`", service.name, label.escape_debug())))?;
    let to = &chosen.route.destinations()[place];
    let host = host::resolve(&to.host, &service.objects[chosen.object].namespace);
    let Some(subset) = &to.subset else { return Ok(Side { service: host, target: Target::Service }) };
    let namespace = host::service_of(&host).map_or(cluster.namespace.clone(), |(_, namespace)| namespace.to_owned());
    let rules = cluster.rules(Some(&namespace), true).await?;
    let labels = rules.subset(&host, subset).map(|subset| subset.labels.clone());
    let labels = labels.ok_or_else(|| Error::not_found(format!("{host} has no subset `{subset}`")))?;
    let target = match labels.get("version").filter(|_| labels.len() == 1) {
        Some(version) => Target::Version(version.clone()),
        None => Target::Workloads(cluster.workloads(&namespace, &labels).await?),
    };
    Ok(Side { service: host, target })
}

/// Prints what would be asked.
async fn show(context: &Context, arguments: &Evaluate, gate: &Gate) -> Result<()> {
    let queries = match gate {
        Gate::Require(terms) => {
            let settings = Settings::resolve(&context.global.connection, arguments.timeout)?;
            let sides = sides(&Cluster::connect(&settings.connection).await?, arguments).await?;
            let mut queries = Vec::new();
            for term in terms {
                for side in [Some(&sides.candidate), sides.stable.as_ref().filter(|_| term.compares())].into_iter().flatten() {
                    queries.push((term.text.clone(), Sampled::query(term, side)));
                }
            }
            queries
        }
        file => asked(file, arguments, window(arguments, None)?)?,
    };
    queries.iter().for_each(|(id, query)| context.ui.answer(&format!("{id}\t{query}\n")));
    Ok(())
}

/// The result as keptn's lighthouse service printed it.
fn keptn(result: &Evaluation) -> serde_json::Value {
    use base64::Engine as _;
    let time = |seconds: i64| jiff::Timestamp::from_second(seconds).map(|time| format!("{time:.3}")).unwrap_or_default();
    let (start, end) = result.basis.evidence.window.map(|window| (time(window.start), time(window.end))).unwrap_or_default();
    let file = base64::engine::general_purpose::STANDARD.encode(&result.basis.gate);
    slo::keptn(result, slo::Printed { start: &start, end: &end, slo_file_content: &file })
}

/// Prints the evaluation and turns its verdict into the exit code.
fn conclude(context: &Context, arguments: &Evaluate, result: &Evaluation) -> Result<()> {
    let wide = arguments.output == Report::Wide;
    context.ui.answer(&match arguments.output {
        Report::Table | Report::Wide => ui::evaluation(result, wide),
        Report::Json => data(result, false),
        Report::Yaml => data(result, true),
        Report::Junit => ui::junit(result),
        Report::Markdown => ui::markdown(result),
        Report::Pitometer => match result.format {
            Format::Perfspec => data(&perfspec::pitometer(result, None), false),
            _ => return Err(Error::usage("-o pitometer goes with a perfspec.json")),
        },
        Report::Keptn => match result.format {
            Format::Slo => data(&keptn(result), false),
            _ => return Err(Error::usage("-o keptn goes with an slo.yaml")),
        },
    });
    if arguments.advisory {
        return Ok(());
    }
    let unanswered = result.indicators.iter().any(|one| one.status == Status::Error);
    let open = if arguments.on_inconclusive == Inconclusive::Pass { None } else { Some(Kind::Inconclusive) };
    let kind = match result.verdict {
        Verdict::Pass => None,
        Verdict::Warning => (arguments.fail_on == FailOn::Warning).then_some(Kind::GateWarning),
        Verdict::Fail => Some(Kind::GateFailed),
        Verdict::Inconclusive if arguments.on_inconclusive == Inconclusive::Fail => Some(Kind::GateFailed),
        Verdict::Inconclusive if unanswered => Some(Kind::Inconclusive),
        Verdict::Inconclusive => open,
    };
    match kind {
        // The answer has said why.
        Some(kind) => Err(Error::new(kind, "")),
        None => Ok(()),
    }
}

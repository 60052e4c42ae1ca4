use super::*;
use crate::core::delivery::shipyard::{Approval, Approver, TestStrategy};

const NOW: &str = "2026-01-02T03:04:05Z";

fn plan(place: Place, share: Option<u32>, gated: bool, approver: Approver) -> StagePlan {
    StagePlan {
        place,
        test: TestStrategy::Performance,
        tests: None,
        approval: Approval { pass: approver, warning: approver },
        gate: gated.then(|| Gate::Require(vec!["success-rate>=99".into()])),
        share,
        timeframe: None,
    }
}

fn run_of(plans: Vec<StagePlan>) -> Run {
    let stages = plans.into_iter().enumerate().map(|(index, plan)| StageRun::new(&format!("s{index}"), "ns", plan));
    let mut run = Run {
        id: "id".into(),
        project: "sockshop".into(),
        service: "carts".into(),
        image: "carts:2".into(),
        labels: BTreeMap::new(),
        by: "alice".into(),
        started: NOW.into(),
        ended: None,
        status: Status::Running,
        terms: Terms::default(),
        stages: stages.collect(),
    };
    run.begin();
    run
}

/// The shapes of runs that are walked through.
fn shapes() -> Vec<Run> {
    use Approver::{Automatic, Manual};
    vec![
        run_of(vec![
            plan(Place::Direct, None, false, Automatic),
            plan(Place::Idle, None, true, Automatic),
            plan(Place::Idle, Some(10), true, Manual),
        ]),
        run_of(vec![plan(Place::IdleAtOnce, None, true, Automatic), plan(Place::Direct, None, true, Automatic)]),
        run_of(vec![plan(Place::Idle, Some(10), true, Automatic), plan(Place::IdleAtOnce, None, false, Manual)]),
    ]
}

/// What a stage of a cluster holds: which version runs in the deployment that the version goes to, how many pods it has,
/// and which part of the traffic it gets.
#[derive(Clone, Debug, PartialEq)]
struct World {
    stages: Vec<(u32, i64, u32)>,
}

impl World {
    fn new(run: &Run, replicas: i64) -> Self {
        let of = |stage: &StageRun| if stage.plan.place == Place::Direct { (1, 1, 100) } else { (1, replicas, 0) };
        Self { stages: run.stages.iter().map(of).collect() }
    }

    /// What a step does to the world, and to the state before it is kept. Doing it twice is doing it once.
    fn perform(&mut self, run: &mut Run, step: Step) {
        let Step::Do(index, phase) = step else { return };
        let direct = run.stages[index].plan.place == Place::Direct;
        let (version, replicas, share) = &mut self.stages[index];
        let before = || Before {
            deployment: "carts".into(),
            container: "carts".into(),
            image: version.to_string(),
            replicas: *replicas,
            scale: 1.max(*replicas),
            to: None,
            serving: None,
            serving_image: None,
            weights: vec![("to".into(), *share)],
            moved: None,
        };
        match phase {
            Phase::Look => run.stages[index].before = Some(before()),
            Phase::Deploy => (*version, *replicas) = (2, 1.max(*replicas)),
            Phase::Share => *share = 10,
            Phase::Shift | Phase::Promote => *share = 100,
            Phase::Reroute => *share = 0,
            Phase::Restore => {
                let before = run.stages[index].before.clone().expect("somebody looked");
                // What failed its gate stays, asleep as it was.
                if direct || before.replicas != 0 {
                    *version = before.image.parse().expect("a version");
                }
                *replicas = before.replicas;
            }
            _ => {}
        }
    }
}

fn outcomes(phase: Phase) -> Vec<Outcome> {
    let text = || "text".to_owned();
    match phase {
        Phase::Reroute | Phase::Restore => vec![Outcome::Done(text()), Outcome::Failed(text())],
        Phase::Evaluate => vec![
            Outcome::Done(text()),
            Outcome::Warned(text()),
            Outcome::Failed(text()),
            Outcome::Inconclusive(text()),
            Outcome::Aborted(text()),
        ],
        _ => vec![Outcome::Done(text()), Outcome::Failed(text()), Outcome::Aborted(text())],
    }
}

/// Looks at a state and the steps that led to it.
type At<'a> = dyn FnMut(&Run, &World, &[(Step, Outcome)]) + 'a;

/// Walks every path of a run, and calls `at` with each state and the steps that led to it.
fn each_path(run: Run, world: World, steps: &mut Vec<(Step, Outcome)>, at: &mut At<'_>) {
    at(&run, &world, steps);
    assert!(steps.len() < 100, "it does not end: {steps:?}");
    let step = run.next();
    let Step::Do(_, phase) = step else { return };
    for outcome in outcomes(phase) {
        let (mut next, mut then) = (run.clone(), world.clone());
        // A step that fails may have done its work all the same.
        then.perform(&mut next, step);
        next.done(step, outcome.clone(), NOW);
        steps.push((step, outcome));
        each_path(next, then, steps, at);
        steps.pop();
    }
}

fn walk(mut at: impl FnMut(&Run, &World, &[(Step, Outcome)])) {
    for run in shapes() {
        for replicas in [0, 2] {
            let world = World::new(&run, replicas);
            each_path(run.clone(), world, &mut Vec::new(), &mut at);
        }
    }
}

#[test]
fn every_path_ends_and_says_how() {
    let mut ends = BTreeMap::new();
    walk(|run, _, steps| {
        if run.ended() {
            *ends.entry(run.status.name()).or_insert(0) += 1;
            assert!(run.ended.is_some() || run.status == Status::Stuck, "{steps:?}");
            assert_eq!(run.next(), Step::Nothing);
        }
        let json = serde_json::to_string(run).expect("JSON");
        assert_eq!(serde_json::from_str::<Run>(&json).ok().as_ref(), Some(run), "{steps:?}");
    });
    let names: Vec<&str> = ends.keys().copied().collect();
    assert_eq!(names, ["aborted", "failed", "inconclusive", "passed", "stuck"]);
}

#[test]
fn what_does_not_pass_leaves_traffic_where_it_was_and_no_later_stage_is_touched() {
    walk(|run, world, steps| {
        if !run.ended() || matches!(run.status, Status::Passed | Status::Stuck) {
            return;
        }
        let place = run.stages.iter().position(|stage| !matches!(stage.end, Some(End::Passed | End::Warned)));
        let place = place.expect("a stage that did not pass");
        let (version, _, share) = world.stages[place];
        match run.stages[place].plan.place {
            Place::Direct => assert_eq!((version, share), (1, 100), "{steps:?}"),
            _ => assert_eq!(share, 0, "{steps:?}"),
        }
        let untouched = |stage: &StageRun| stage.phase == Phase::Ahead && stage.before.is_none();
        assert!(run.stages[place + 1..].iter().all(untouched), "{steps:?}");
        let touched = steps.iter().any(|(step, _)| matches!(step, Step::Do(index, _) if *index > place));
        assert!(!touched, "{steps:?}");
    });
}

#[test]
fn a_failure_after_a_shift_leads_to_a_re_route_at_once() {
    walk(|run, world, steps| {
        let (Some((Step::Do(index, phase), outcome)), Step::Do(..) | Step::Nothing) = (steps.last(), run.next()) else { return };
        let failed = matches!(outcome, Outcome::Failed(_) | Outcome::Inconclusive(_) | Outcome::Aborted(_));
        let forth = !matches!(phase, Phase::Reroute | Phase::Restore);
        let split = run.stages[*index].plan.place != Place::Direct;
        if failed && forth && split && world.stages[*index].2 > 0 {
            assert_eq!(run.next(), Step::Do(*index, Phase::Reroute), "{steps:?}");
        }
    });
}

#[test]
fn a_pass_moves_everything() {
    walk(|run, world, _| {
        if run.status == Status::Passed {
            assert!(world.stages.iter().all(|(version, _, share)| (*version, *share) == (2, 100)), "{world:?}");
        }
    });
}

/// Drives a run by the outcomes that `decide` gives for each step, and dies before the `dies`-th time that the state is
/// kept; whoever comes then has the state that was kept last, and the world as it is.
fn driven(run: &Run, replicas: i64, decide: &dyn Fn(Step) -> Outcome, dies: usize) -> (Run, World) {
    let mut world = World::new(run, replicas);
    let mut kept = run.clone();
    let mut own = run.clone();
    let mut times = 0;
    loop {
        let step = own.next();
        if step == Step::Nothing {
            return (own, world);
        }
        world.perform(&mut own, step);
        let decided = decide(step);
        own.done(step, decided, NOW);
        times += 1;
        if times == dies {
            own = kept.clone();
            continue;
        }
        kept = own.clone();
    }
}

#[test]
fn a_run_that_is_resumed_ends_as_one_that_was_never_broken_off() {
    for run in shapes() {
        for (stage, phase) in (0..run.stages.len()).flat_map(|stage| {
            [Phase::Deploy, Phase::Smoke, Phase::Shift, Phase::Share, Phase::Tests, Phase::Evaluate, Phase::Promote, Phase::Ended]
                .map(|phase| (stage, phase))
        }) {
            let decide = move |step: Step| match step {
                Step::Do(at, due) if (at, due) == (stage, phase) => Outcome::Failed("no".into()),
                _ => Outcome::Done(String::new()),
            };
            for replicas in [0, 2] {
                let whole = driven(&run, replicas, &decide, 0);
                for dies in 1..30 {
                    assert_eq!(driven(&run, replicas, &decide, dies), whole, "{stage} {phase:?} {dies}");
                }
            }
        }
    }
}

#[test]
fn a_warning_passes_and_asks_whom_the_next_stage_names() {
    let mut second = plan(Place::Direct, None, false, Approver::Automatic);
    second.approval.warning = Approver::Manual;
    let run = run_of(vec![plan(Place::Idle, None, true, Approver::Automatic), second]);
    let end = |verdict: Outcome| {
        let mut run = run.clone();
        while let Step::Do(0, phase) = run.next() {
            let outcome = if phase == Phase::Evaluate { verdict.clone() } else { Outcome::Done(String::new()) };
            run.done(run.next(), outcome, NOW);
        }
        (run.stages[0].end, run.next(), run.status)
    };
    assert_eq!(end(Outcome::Warned("slow".into())), (Some(End::Warned), Step::Do(1, Phase::Approval), Status::Waiting));
    assert_eq!(end(Outcome::Done(String::new())), (Some(End::Passed), Step::Do(1, Phase::Look), Status::Running));
}

#[test]
fn an_abort_takes_back_what_was_touched_and_a_way_back_goes_on() {
    walk(|run, _, steps| {
        let mut aborted = run.clone();
        aborted.abort("alice: wrong version", NOW);
        match run.next() {
            Step::Nothing | Step::Do(_, Phase::Reroute | Phase::Restore) => assert_eq!(&aborted, run, "{steps:?}"),
            Step::Do(index, Phase::Approval | Phase::Look) => {
                assert_eq!((aborted.status, aborted.stages[index].phase), (Status::Aborted, Phase::Ended), "{steps:?}");
            }
            Step::Do(index, _) => {
                assert_eq!(aborted.stages[index].end, Some(End::Aborted), "{steps:?}");
                assert!(aborted.stages[index].phase > Phase::Promote, "{steps:?}");
            }
        }
    });
}

#[test]
fn a_way_back_that_failed_can_be_tried_again() {
    let mut run = run_of(vec![plan(Place::Idle, Some(10), true, Approver::Automatic)]);
    while run.next() != Step::Do(0, Phase::Evaluate) {
        run.done(run.next(), Outcome::Done(String::new()), NOW);
    }
    run.done(run.next(), Outcome::Failed("slow".into()), NOW);
    run.done(run.next(), Outcome::Failed("refused".into()), NOW);
    assert_eq!((run.status, run.next()), (Status::Stuck, Step::Nothing));
    run.retry();
    assert_eq!(run.next(), Step::Do(0, Phase::Reroute));
    run.done(run.next(), Outcome::Done(String::new()), NOW);
    assert_eq!((run.status, run.stages[0].reason.as_str()), (Status::Failed, "slow"));
}

#[test]
fn an_outcome_of_a_step_that_is_not_due_changes_nothing() {
    let mut run = run_of(vec![plan(Place::Direct, None, false, Approver::Automatic)]);
    let before = run.clone();
    run.done(Step::Do(0, Phase::Promote), Outcome::Done(String::new()), NOW);
    run.done(Step::Nothing, Outcome::Failed("x".into()), NOW);
    assert_eq!(run, before);
}

#[test]
fn a_version_waits_until_the_one_before_on_its_side_is_measured() {
    let quiet = |place: Place, gated: bool, moved: Option<i64>| {
        let mut stage = StageRun::new("staging", "ns", plan(place, Some(10), gated, Approver::Automatic));
        stage.before = Some(Before {
            deployment: "carts-green".into(),
            container: "carts".into(),
            image: "carts:1".into(),
            replicas: 1,
            scale: 1,
            to: Some("green".into()),
            serving: Some("blue".into()),
            serving_image: None,
            weights: Vec::new(),
            moved,
        });
        stage.quiet(15, 1000)
    };
    let idle = |moved| quiet(Place::Idle, true, moved);
    assert_eq!([Some(1000), Some(990), Some(970), Some(0), None].map(idle), [30, 20, 0, 0, 0]);
    assert_eq!(idle(Some(9000)), 30, "another machine's clock is ahead");
    assert_eq!(quiet(Place::Direct, true, None), 30, "it took the place of one that had traffic");
    assert_eq!([Place::Idle, Place::Direct].map(|place| quiet(place, false, Some(1000))), [0, 0], "nobody measures");
}

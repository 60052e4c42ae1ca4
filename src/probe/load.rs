//! The built-in probe: the health check, then each check once, or users who ask again and again.

use super::headers;
use crate::core::delivery::tests::{Load, Request, Tally, TestPlan};
use crate::error::{Error, Result};
use crate::web::{Call, Pass};
use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use std::cell::RefCell;
use std::time::Instant;

/// A request, made ready once and sent often.
struct Prepared {
    title: String,
    call: Call,
}

fn prepare(requests: &[Request], plan: &TestPlan) -> Result<Vec<Prepared>> {
    let one = |request: &Request| {
        let method: Method =
            request.method.parse().map_err(|_| Error::usage(format!("`{}` is not a method", request.method.escape_debug())))?;
        let body = Bytes::from(request.body.clone());
        let headers = headers(&request.headers)?;
        let call = Call { method, headers, body, ..Call::get(request.path.clone(), plan.timeout) };
        Ok(Prepared { title: request.title(), call })
    };
    requests.iter().map(one).collect()
}

/// Does what a plan asks for and counts it. When `deadline` comes, what is under way is dropped and the tally says so.
///
/// # Errors
/// `Usage` for a request that cannot be sent.
pub async fn probe(pass: &Pass<'_>, plan: &TestPlan, deadline: Instant) -> Result<Tally> {
    let once = prepare(&plan.once(), plan)?;
    let load = prepare(&plan.requests, plan)?;
    let tally = RefCell::new(Tally::default());
    let work = async {
        for (place, request) in once.iter().enumerate() {
            send(pass, request, &tally).await;
            if place == 0 && tally.borrow().failed > 0 {
                tally.borrow_mut().unhealthy = true;
                return;
            }
        }
        if let Some(wanted) = &plan.load {
            users(pass, &load, wanted, &tally).await;
        }
    };
    let ended = tokio::time::timeout_at(deadline.into(), work).await;
    let mut tally = tally.into_inner();
    tally.late = ended.is_err();
    Ok(tally)
}

async fn users(pass: &Pass<'_>, requests: &[Prepared], load: &Load, tally: &RefCell<Tally>) {
    let begun = Instant::now();
    let planned = load.planned(requests.len());
    let over = || {
        let passed = load.duration.is_some_and(|duration| begun.elapsed() >= duration);
        passed || tally.borrow().is_lost(planned, load.allowed)
    };
    let user = async |number: usize| {
        // Users who begin together would come in waves.
        let share = u32::try_from(load.users).unwrap_or(u32::MAX).max(1);
        tokio::time::sleep(load.think / share * u32::try_from(number).unwrap_or(0)).await;
        let mut loops = 0;
        while load.loops.is_none_or(|most| loops < most) {
            loops += 1;
            for request in requests {
                tokio::time::sleep(load.think).await;
                if over() {
                    return;
                }
                send(pass, request, tally).await;
            }
        }
    };
    join_all((0..load.users).map(user)).await;
}

/// A status of 400 and above is a failure, and so is no answer.
async fn send(pass: &Pass<'_>, request: &Prepared, tally: &RefCell<Tally>) {
    let begun = Instant::now();
    let outcome = match pass(request.call.clone()).await {
        Ok(answer) if answer.status < 400 => Ok(()),
        Ok(answer) => Err(format!("HTTP {}", answer.status)),
        Err(why) => Err(why),
    };
    tally.borrow_mut().add(&request.title, begun.elapsed(), outcome);
}

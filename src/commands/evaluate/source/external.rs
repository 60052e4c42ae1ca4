//! Whatever has a number: HTTP servers, programs.

use crate::commands::evaluate::body;
use crate::core::gate::evaluation::{Sample, Window};
use crate::core::gate::placeholders::Context as Placeholders;
use crate::core::gate::query::{Command, Web};
use crate::error::{Error, Result};
use crate::metrics::{Access, Ask, Direct, Transport, run};
use http::Method;
use std::time::Duration;

/// Asks an HTTP server. What may change something there is asked for once; the rest again where that may help.
///
/// # Errors
/// `Usage` for a query that cannot be sent, `Unreachable` where nobody answers, `Failed` where the answer is none.
pub async fn web(web: &Web, timeout: Duration) -> Result<Vec<Sample>> {
    let headers = web.headers.iter().map(|(name, value)| Ok((name.clone(), expanded(value)?))).collect::<Result<_>>()?;
    let access = Access { headers, timeout: web.timeout.unwrap_or(timeout), ..Access::default() };
    let name = if web.method.is_empty() { "GET" } else { &web.method };
    let method: Method =
        name.to_uppercase().parse().map_err(|_| Error::usage(format!("`{}` is not a method of HTTP", name.escape_debug())))?;
    let safe = method.is_safe();
    let ask = Ask { method, body: web.body.clone(), ..Ask::default() };
    let direct = Direct::new(&expanded(&web.url)?, &access)?;
    let answer = match safe {
        true => Transport::Direct(Box::new(direct)).send(&ask).await?,
        false => direct.send(&ask).await?,
    };
    match answer.status {
        200..300 => body(&answer.body).and_then(|body| web.samples(&body)).map_err(Error::failed),
        status => Err(Error::failed(format!("HTTP status {status}"))),
    }
}

/// Runs a program. It finds what is known of the run in its environment.
///
/// # Errors
/// `Usage` where it cannot be started, `Timeout` where it does not end in time.
pub async fn command(command: &Command, known: &Placeholders, window: Window) -> Result<Vec<Sample>> {
    let mut environment = vec![
        ("START".to_owned(), window.start.to_string()),
        ("END".to_owned(), window.end.to_string()),
        ("DURATION_SECONDS".to_owned(), (window.end - window.start).to_string()),
    ];
    let names = [("PROJECT", &known.project), ("STAGE", &known.stage), ("SERVICE", &known.service)];
    environment.extend(names.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
    environment.extend(known.labels.iter().map(|(name, value)| (format!("LABEL_{name}"), value.clone())));
    let ended = run(&command.arguments, &environment, command.timeout.unwrap_or(Duration::MAX)).await?;
    Ok(vec![command.sample(ended.code, &ended.output, &ended.complaint)])
}

/// A text with the variables of the environment that it names as `${VAR}`.
fn expanded(text: &str) -> Result<String> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (name, after))) =
        rest.split_once("${").and_then(|(before, from)| Some((before, from.split_once('}')?)))
    {
        let value = std::env::var(name)
            .map_err(|_| Error::usage(format!("the environment has no variable `{}`", name.escape_debug())))?;
        whole += before;
        whole += &value;
        rest = after;
    }
    Ok(whole + rest)
}

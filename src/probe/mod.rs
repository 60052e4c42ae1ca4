//! Tests of a version: its requests, once each or under load; programs that test it; and a way to it for those.
//!
//! Whoever is asked stands behind a [`Pass`]: a URL, or somebody who passes requests on. Nothing here knows a cluster.

mod forward;
mod load;
mod program;

pub use forward::Forwarder;
pub use load::probe;
pub use program::{Ended, is_there, run};

use crate::error::{Error, Result};
use crate::web::{Access, Call, Pass, Site};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::rc::Rc;
use std::time::Duration;

/// Passes requests on to a URL, with a `Host` header where `host` is given.
///
/// # Errors
/// `Usage` for what is no URL, or no host.
pub fn by_url(url: &str, host: Option<&str>) -> Result<Box<Pass<'static>>> {
    let access = Access { timeout: Duration::from_secs(10), ..Access::default() };
    let site = Rc::new(Site::new(url, &access, "a service")?);
    let host: Option<HeaderValue> = match host {
        Some(host) => {
            Some(host.parse().map_err(|_| Error::usage(format!("`{}` is not the name of a host", host.escape_debug())))?)
        }
        None => None,
    };
    Ok(Box::new(move |mut call: Call| {
        let site = site.clone();
        if let Some(host) = &host {
            call.headers.insert(http::header::HOST, host.clone());
        }
        Box::pin(async move { site.send(call).await })
    }))
}

/// Header fields as they are sent.
///
/// # Errors
/// `Usage` for what is no header.
fn headers(fields: &[(String, String)]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let wrong = || Error::usage(format!("`{}: {}` is not a header", name.escape_debug(), value.escape_debug()));
        let name: HeaderName = name.parse().map_err(|_| wrong())?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;

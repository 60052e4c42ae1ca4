//! Charts, rendered by helm.

use crate::core::delivery::image::Image;
use crate::error::{Error, Kind, Result};
use crate::metrics;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A chart that takes longer is waiting for something.
const LIMIT: Duration = Duration::from_secs(60);

/// What a chart is rendered for.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The service, which is the release's name.
    pub service: &'a str,
    /// The project.
    pub project: &'a str,
    /// The stage.
    pub stage: &'a str,
    /// The stage's namespace.
    pub namespace: &'a str,
}

/// Renders a chart with the values that keptn 0.5 gave it. Its own custom resource definitions come with it, so that they can
/// be told of; its tests do not.
///
/// # Errors
/// `Usage` where there is no chart or no helm, or the chart cannot be rendered; `Timeout`.
pub async fn render(chart: &Path, release: Release<'_>, image: Option<&Image>) -> Result<String> {
    if !chart.exists() {
        return Err(Error::usage(format!("there is no chart {}", chart.display())));
    }
    let Release { service, project, stage, namespace } = release;
    let path = chart.display().to_string();
    // Without `./` a name could be one of a repository.
    let path = if chart.is_relative() && !path.starts_with('.') { format!("./{path}") } else { path };
    let mut words = vec!["template", service, &path, "--namespace", namespace, "--include-crds", "--skip-tests"];
    let set = match image {
        Some(image) => image_values(&path, image).await?,
        None => String::new(),
    };
    if !set.is_empty() {
        words.extend(["--set-string", &set]);
    }
    let keptn = format!("keptn.project={project},keptn.stage={stage},keptn.service={service}");
    let given = [&words[..], &["--set", &keptn]].concat();
    match helm(&given).await? {
        Ok(text) => Ok(text),
        // A chart with a schema may allow no values but its own.
        Err(why) if why.contains("keptn") && why.contains("not allowed") => {
            helm(&words).await?.map_err(|why| failed(chart, &why))
        }
        Err(why) => Err(failed(chart, &why)),
    }
}

/// How the chart is told of the image: by the key `image`, or by `image.repository` and `image.tag` where the chart divides
/// it. Whatever comes of that, the deployment has the image in the end.
async fn image_values(chart: &str, image: &Image) -> Result<String> {
    // A chart that cannot be read says so when it is rendered.
    let values = helm(&["show", "values", chart]).await?.unwrap_or_default();
    let values: Value = serde_yaml::from_str(&values).unwrap_or_default();
    Ok(match (values.get("image").is_some_and(Value::is_object), &image.tag) {
        (false, _) => format!("image={image}"),
        (true, Some(tag)) => format!("image.repository={},image.tag={tag}", image.repository),
        (true, None) => String::new(),
    })
}

/// What helm prints, or what it complains about.
async fn helm(arguments: &[&str]) -> Result<Result<String, String>> {
    let words: Vec<String> = std::iter::once(&"helm").chain(arguments).map(|word| (*word).to_owned()).collect();
    let ended = metrics::run(&words, &[], LIMIT).await.map_err(|error| match error.kind {
        Kind::Timeout => error.hint("`helm template` by hand shows what it waits for"),
        _ => Error { message: "helm cannot be run: it renders charts".into(), ..error }
            .hint("install helm 3, or render the chart elsewhere and give what comes out: `--deployment FILE`"),
    })?;
    Ok(match ended.code {
        Some(0) => Ok(ended.output),
        _ => Err(ended.complaint),
    })
}

/// helm's own words, without its prefix and its advice.
fn failed(chart: &Path, complaint: &str) -> Error {
    let lines = complaint.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let useful = lines.filter(|line| !line.starts_with("Use --debug") && !line.starts_with("WARNING: "));
    let text = useful.collect::<Vec<_>>().join("\n");
    let text = text.strip_prefix("Error: ").unwrap_or(&text);
    let error = Error::usage(format!("helm cannot render {}", chart.display()));
    if text.is_empty() { error } else { error.caused_by(text) }
}

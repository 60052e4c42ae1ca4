//! `version`: of this program, and of the API server where there is one.

use super::Context;
use crate::cli::Format;
use crate::error::Result;
use crate::ui::{Ui, data};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    client: &'static str,
    /// What it was built from; unknown outside of a clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
}

pub fn client(ui: &Ui, format: Format) -> Result<()> {
    print(ui, format, None);
    Ok(())
}

pub async fn with_server(context: &Context, format: Format) -> Result<()> {
    // A machine without a cluster still has a version to tell.
    let server = match context.connect(None).await {
        Ok((_, cluster)) => cluster.server_version().await.ok(),
        Err(_) => None,
    };
    print(&context.ui, format, server);
    Ok(())
}

fn print(ui: &Ui, format: Format, server: Option<String>) {
    let versions = Versions { client: env!("CARGO_PKG_VERSION"), commit: option_env!("TIDEGATE_COMMIT"), server };
    match format {
        Format::Json | Format::Yaml => ui.answer(&data(&versions, format == Format::Yaml)),
        _ => {
            let server = versions.server.map(|server| format!("server {server}\n")).unwrap_or_default();
            ui.answer(&format!("tidegate {}\n{server}", versions.client));
        }
    }
}

//! `selvedge export`: a model in another program's format.

use serde_json::json;

use crate::cli::Export;
use crate::error::Result;
use crate::exchange;
use crate::files;
use crate::memory::size;
use crate::model::Model;
use crate::terminal::Output;

/// Exports a model.
///
/// # Errors
/// Exit code 4 for an invalid model, 1 where the file cannot be written.
pub fn run(args: &Export) -> Result<()> {
    let bytes = exchange::export(&Model::load(&args.model)?, args.format)?;
    files::write_atomic(&args.out, &bytes)?;
    let mut output = Output::default();
    let out = args.out.display().to_string();
    if args.json {
        return output.json(&json!({"file": out, "bytes": bytes.len()}));
    }
    output.line(format!("{out}, {}", size(bytes.len() as u64)))
}

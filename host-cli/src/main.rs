//! The `selvedge` program: reads its words, carries the command out, ends with an exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use host_cli::cli::Cli;
use host_cli::commands;
use host_cli::error::Error;

fn main() -> ExitCode {
    let json = std::env::args_os().any(|a| a == "--json");
    let outcome = match Cli::try_parse() {
        Ok(cli) => commands::run(cli.command),
        Err(e) if asked_for(e.kind()) => {
            // Help that nobody reads is no failure.
            let _ = e.print();
            return ExitCode::SUCCESS;
        }
        Err(e) => Err(Error::misused(one_line(&e))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if json {
                eprintln!("{}", serde_json::json!({"error": error.message, "code": error.exit as u8}));
            } else {
                eprintln!("error: {error}");
            }
            ExitCode::from(error.exit as u8)
        }
    }
}

fn asked_for(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// The parser's message up to its usage text, as one line.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let message = text.split("\nUsage:").next().unwrap_or(&text).split("\nFor more information").next();
    let words: Vec<_> = message.unwrap_or(&text).split_whitespace().collect();
    format!("{}; see `selvedge --help`", words.join(" ").trim_start_matches("error: "))
}

//! The `selvedge` program: parses its arguments, runs the command, ends with an exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind as ParserErrorKind;
use host_cli::cli::Cli;
use host_cli::commands;
use host_cli::error::{Error, ErrorKind};
use host_cli::exit;
use host_cli::terminal::{log, log_raw};

fn main() -> ExitCode {
    let json = std::env::args_os().any(|a| a == "--json");
    let outcome = match Cli::from_the_command_line() {
        Ok(cli) => commands::run(cli.command),
        Err(e) => match e.kind() {
            ParserErrorKind::DisplayHelp | ParserErrorKind::DisplayVersion => {
                // Help that nobody reads is no failure.
                let _ = e.print();
                return ExitCode::SUCCESS;
            }
            // `selvedge` alone, or `selvedge data`: the help, on stderr, names the commands of which one is missing.
            ParserErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let _ = e.print();
                return ExitCode::from(exit::code(ErrorKind::Usage));
            }
            _ => Err(Error::usage(one_line(&e))),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (interrupted, code) = (error.kind == ErrorKind::Interrupted, exit::code(error.kind));
            match (json, interrupted) {
                (true, _) => {
                    let key = if interrupted { "stopped" } else { "error" };
                    log_raw(serde_json::json!({key: error.message, "code": code}));
                }
                // The user asked for it: no error.
                (false, true) => log(&error),
                (false, false) => log(format_args!("error: {error}")),
            }
            ExitCode::from(code)
        }
    }
}

/// What Rust's own parsers of numbers say, and what people understand.
const NUMBERS: [(&str, &str); 6] = [
    ("invalid digit found in string", "write a whole number"),
    ("cannot parse integer from empty string", "write a whole number"),
    ("number would be zero for non-zero type", "write a whole number above 0"),
    ("number too large to fit in target type", "the number is too large"),
    ("invalid float literal", "write a number, such as 0.1"),
    ("cannot parse float from empty string", "write a number, such as 0.1"),
];

/// The parser's message up to its usage text, as one line.
fn one_line(error: &clap::Error) -> String {
    if error.kind() == ParserErrorKind::InvalidUtf8
        && let Some(argument) = std::env::args_os().find(|argument| argument.to_str().is_none())
    {
        return format!("{} is not UTF-8; rename it, or name it by a link that is", argument.display());
    }
    let text = error.render().to_string();
    let message = text.split("\nUsage:").next().unwrap_or(&text);
    let message = message.split("\nFor more information").next().unwrap_or(message);
    let clauses = message.split("\n\n").map(|clause| clause.split_whitespace().collect::<Vec<_>>().join(" "));
    let clauses = clauses.map(|clause| clause.trim_start_matches("tip: ").to_string());
    let mut line = clauses.filter(|clause| !clause.is_empty()).collect::<Vec<_>>().join("; ");
    for (theirs, ours) in NUMBERS {
        line = line.replace(theirs, ours);
    }
    format!("{}; see `{} --help`", line.trim_start_matches("error: "), command_name())
}

/// The command whose arguments were parsed, such as `selvedge data show`.
fn command_name() -> String {
    let (mut names, mut command) = (vec!["selvedge".to_string()], Cli::command());
    for argument in std::env::args_os().skip(1) {
        let Some(found) = command.find_subcommand(&argument).cloned() else { break };
        names.push(found.get_name().to_string());
        command = found;
    }
    names.join(" ")
}

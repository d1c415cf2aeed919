//! The `selvedge` program: reads its words, carries the command out, ends with an exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;
use host_cli::cli::Cli;
use host_cli::commands;
use host_cli::error::{Error, Exit};
use host_cli::terminal::{say, say_raw};

fn main() -> ExitCode {
    let json = std::env::args_os().any(|a| a == "--json");
    let outcome = match Cli::from_the_command_line() {
        Ok(cli) => commands::run(cli.command),
        Err(e) => match e.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                // Help that nobody reads is no failure.
                let _ = e.print();
                return ExitCode::SUCCESS;
            }
            // `selvedge` alone, or `selvedge data`: the help, on stderr, names the commands of which one is missing.
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let _ = e.print();
                return ExitCode::from(Exit::Misused as u8);
            }
            _ => Err(Error::misused(one_line(&e))),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let key = if error.exit == Exit::Stopped { "stopped" } else { "error" };
            match (json, error.exit) {
                (true, exit) => say_raw(serde_json::json!({key: error.message, "code": exit as u8})),
                // What was asked for is no error.
                (false, Exit::Stopped) => say(&error),
                (false, _) => say(format_args!("error: {error}")),
            }
            ExitCode::from(error.exit as u8)
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
    if error.kind() == ErrorKind::InvalidUtf8
        && let Some(word) = std::env::args_os().find(|word| word.to_str().is_none())
    {
        return format!("{} is not UTF-8; rename it, or name it by a link that is", word.display());
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
    format!("{}; see `{} --help`", line.trim_start_matches("error: "), command_named())
}

/// The command whose words the parser has read, such as `selvedge data show`.
fn command_named() -> String {
    let (mut words, mut command) = (vec!["selvedge".to_string()], Cli::command());
    for word in std::env::args_os().skip(1) {
        let Some(found) = command.find_subcommand(&word).cloned() else { break };
        words.push(found.get_name().to_string());
        command = found;
    }
    words.join(" ")
}

//! `longshore-accounting DIR [MAX_ATTEMPTS]`: reads the ledgers in DIR, prints the report as one
//! JSON object, and exits with 1 if it is not clean, 2 if the ledgers cannot be read.

use longshore_conformance::accounting::{Ledgers, Rules, check};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (dir, max_attempts) = (arguments.next(), arguments.next().map(|n| n.parse::<u32>()));
    let (Some(dir), None | Some(Ok(_))) = (&dir, &max_attempts) else {
        eprintln!("usage: longshore-accounting DIR [MAX_ATTEMPTS]");
        return ExitCode::from(2);
    };
    let mut rules = Rules::default();
    if let Some(Ok(max_attempts)) = max_attempts {
        rules.max_attempts = max_attempts;
    }
    match Ledgers::read_dir(Path::new(dir)) {
        Ok(ledgers) => {
            let report = check(&ledgers, &rules);
            println!("{}", report.to_json());
            ExitCode::from(u8::from(!report.is_clean()))
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

//! Drives the published `simulator-client` through create, subscribe, advance, complete, and prints what it was handed.
//!
//!     driver028 --url URL --start SLOT --end SLOT [--advance N] [--account-diffs PROGRAM]... [--parallel]
//!
//! One line per event: `diff SLOT INDEX SIGNATURE ACCOUNT HASH`, `slot N`, `ready`, `completed`; then `outcome completed`, or `outcome`
//! and what went wrong. One source for 0.9.0 and 0.28.0: where the two differ, the feature `v09` says so.

use serde_json::json;
use simulator_api::{ContinueParams, CreateBacktestSessionRequest, CreateBacktestSessionRequestV1, CreateSessionParams};
use simulator_client::managed::{ManagedBacktestSession, ManagedEvent, ManagedParallelSession};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    str::FromStr,
};
#[cfg(not(feature = "v09"))]
use {simulator_client::managed::StartSessionParams, solana_address::Address};

#[cfg(feature = "v09")]
type Program = String;
#[cfg(not(feature = "v09"))]
type Program = Address;

struct Args {
    url: String,
    key: String,
    start: u64,
    end: u64,
    advance: u64,
    programs: Vec<Program>,
    is_parallel: bool,
}

impl Args {
    fn parse() -> Self {
        let mut args =
            Args { url: String::new(), key: "local-key".into(), start: 0, end: 0, advance: 25, programs: vec![], is_parallel: false };
        let mut words = std::env::args().skip(1);
        while let Some(flag) = words.next() {
            if flag == "--parallel" {
                args.is_parallel = true;
                continue;
            }
            let value = words.next().unwrap_or_else(|| panic!("{flag} needs a value"));
            match flag.as_str() {
                "--url" => args.url = value,
                "--key" => args.key = value,
                "--start" => args.start = value.parse().expect("a slot"),
                "--end" => args.end = value.parse().expect("a slot"),
                "--advance" => args.advance = value.parse().expect("a number of slots"),
                "--account-diffs" => args.programs.push(Program::from_str(&value).expect("an address")),
                _ => panic!("unknown flag {flag}"),
            }
        }
        args
    }

    /// The same for both, but that 0.28 sends the plain form when it may.
    fn create(&self) -> CreateBacktestSessionRequest {
        let params: CreateSessionParams = serde_json::from_value(json!({
            "startSlot": self.start, "endSlot": self.end, "sendSummary": true, "disconnectTimeoutSecs": 180,
            "replayAccountState": false,
        }))
        .expect("parameters of a session");
        if !self.is_parallel {
            return params.into();
        }
        #[cfg(feature = "v09")]
        let request = CreateBacktestSessionRequestV1 { request: params, parallel: true };
        #[cfg(not(feature = "v09"))]
        let request = CreateBacktestSessionRequestV1 { request: params, parallel: true, name: None, create_token: None };
        request.into()
    }
}

/// Print an event; whether it was the last, or what it says went wrong.
fn print_event(event: &ManagedEvent) -> Result<bool, String> {
    match event {
        ManagedEvent::AccountDiff(diff) => {
            let mut hasher = DefaultHasher::new();
            (format!("{:?}", diff.pre), format!("{:?}", diff.post)).hash(&mut hasher);
            let (signature, account) = (diff.signature.as_deref().unwrap_or("-"), diff.account.as_deref().unwrap_or("-"));
            println!("diff {} {:?} {signature} {account} {:x}", diff.context.slot, diff.tx_index, hasher.finish());
        }
        ManagedEvent::Slot(slot) => println!("slot {slot}"),
        ManagedEvent::ReadyForContinue => println!("ready"),
        ManagedEvent::Error(error) => return Err(format!("error event: {error}")),
        ManagedEvent::Completed { .. } => {
            println!("completed");
            return Ok(true);
        }
        _ => {}
    }
    Ok(false)
}

/// The two kinds of sessions have the same methods, but no trait.
macro_rules! run_to_the_end {
    ($session:ident, $args:ident) => {{
        if !$args.programs.is_empty() {
            $session.subscribe_account_diffs($args.programs.clone());
        }
        loop {
            let event = match $session.next_event().await {
                Ok(event) => event,
                Err(error) => break Err(error.to_string()),
            };
            match print_event(&event) {
                Err(error) => break Err(error),
                Ok(true) => break Ok(()),
                Ok(false) => {}
            }
            if matches!(event, ManagedEvent::ReadyForContinue) {
                let go_on = ContinueParams { advance_count: $args.advance, ..Default::default() };
                if let Err(error) = $session.send_continue(go_on).await {
                    break Err(error.to_string());
                }
            }
        }
    }};
}

async fn single(args: &Args) -> Result<(), String> {
    let start = ManagedBacktestSession::start(args.url.clone(), args.key.clone(), args.create());
    let mut session = start.await.map_err(|error| error.to_string())?;
    let outcome = run_to_the_end!(session, args);
    session.shutdown().await;
    outcome
}

async fn parallel(args: &'static Args) -> Result<(), String> {
    let mut session = start_parallel(args).await?;
    let mut tasks = vec![];
    for mut one in session.take_sub_sessions() {
        tasks.push(tokio::spawn(async move {
            let outcome = run_to_the_end!(one, args);
            one.shutdown().await;
            outcome
        }));
    }
    let mut outcome = Ok(());
    for task in tasks {
        outcome = outcome.and(task.await.map_err(|error| error.to_string())?);
    }
    session.shutdown().await;
    outcome
}

#[cfg(feature = "v09")]
async fn start_parallel(args: &Args) -> Result<ManagedParallelSession, String> {
    let start = ManagedParallelSession::start_with_cancel(args.url.clone(), args.key.clone(), args.create(), Default::default());
    start.await.map_err(|error| error.to_string())
}

#[cfg(not(feature = "v09"))]
async fn start_parallel(args: &Args) -> Result<ManagedParallelSession, String> {
    let params = StartSessionParams::builder().url(args.url.clone()).api_key(args.key.clone()).create(args.create()).build();
    ManagedParallelSession::start_with_params(params).await.map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() {
    let args: &'static Args = Box::leak(Box::new(Args::parse()));
    let outcome = if args.is_parallel { parallel(args).await } else { single(args).await };
    println!("outcome {}", outcome.err().unwrap_or_else(|| "completed".into()));
}

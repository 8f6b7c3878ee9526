//! `examples/orders`: the same service without a broker and with one.

use crate::script::run;
use longshore_conformance::rabbitmq;
use serde_json::Value;

pub(crate) async fn it_runs_without_any_other_server() {
    check(&[]);
}

pub(crate) async fn it_runs_on_rabbitmq_by_changing_one_line() {
    check(&[&rabbitmq::shared().expect("a RabbitMQ")]);
}

fn check(arguments: &[&str]) {
    let (said, told) = run("orders", arguments);
    let (task, shipped) = said.split_once('\n').expect("a task, then what was shipped");
    let task: Value = serde_json::from_str(task).expect("a task");
    assert_eq!(task["status"], "success", "{said}{told}");
    assert_eq!(task["result"]["invoice"], task["id"], "{said}");
    let expected =
        [r#"orders.created, attempt 1: {"number":1}"#, r#"orders.urgent, attempt 2: {"number":2}"#];
    assert_eq!(shipped.lines().collect::<Vec<_>>(), expected, "{told}");
}

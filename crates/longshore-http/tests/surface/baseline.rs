//! The yardstick judges as the engine does and keeps nothing.

use crate::house::{engine, post};
use longshore_http::{baseline, router};

#[tokio::test]
async fn it_answers_in_the_same_shape() {
    let engine = engine();
    let real = router(&engine);
    let yardstick = baseline::router((*engine.registry()).clone()).unwrap();
    for body in [r#"{"kind":"hello","payload":[1]}"#, r#"{"kind":"helo"}"#, r#"{"foo":1}"#, "{"] {
        let (a, b) =
            (post(&real, "/v1/tasks", body).await, post(&yardstick, "/v1/tasks", body).await);
        assert_eq!(a.status, b.status, "{body}");
        let keys = |answer: &crate::house::Answer| -> Vec<String> {
            answer.json().as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(keys(&a), keys(&b));
        if a.status == 201 {
            assert_eq!(b.json()["data"]["durability"], "none");
            assert!(b.header("location").starts_with("/v1/tasks/"));
        } else {
            assert_eq!((a.code(), a.fields()), (b.code(), b.fields()));
        }
    }
}

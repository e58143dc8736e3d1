//! What operators write, and what they are told about it.

mod configuration {
    mod refusals;
    mod samples;
    mod support;
    mod working;
}

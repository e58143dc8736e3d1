//! What operators write, and what they are told about it.

mod configuration {
    mod check;
    mod manual;
    mod package;
    mod refusals;
    mod samples;
    mod support;
    mod units;
    mod working;
}

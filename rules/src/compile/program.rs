//! A condition as a small program: predicates to ask for, each with where to go on.

use super::{Expr, PredicateId};

/// A compiled condition.
#[derive(Debug)]
pub(crate) struct Program {
    steps: Vec<Step>,
    /// Where it starts.
    start: u32,
}

/// Asks for a predicate.
#[derive(Clone, Copy, Debug)]
struct Step {
    predicate: PredicateId,
    /// Where it goes on if the predicate does not hold, and if it does: a step, [`FAILS`] or [`HOLDS`].
    next: [u32; 2],
}

/// The condition does not hold.
const FAILS: u32 = u32::MAX - 1;
/// It does.
const HOLDS: u32 = u32::MAX;

impl Program {
    /// Compiles a condition.
    pub(crate) fn new(expr: &Expr) -> Self {
        let mut steps = Vec::new();
        let start = emit(expr, [FAILS, HOLDS], &mut steps);
        Self { steps, start }
    }

    /// Does the condition hold?
    #[inline]
    pub(crate) fn run(&self, mut holds: impl FnMut(PredicateId) -> bool) -> bool {
        let mut at = self.start;
        while let Some(step) = self.steps.get(at as usize) {
            at = step.next[usize::from(holds(step.predicate))];
        }
        at == HOLDS
    }
}

/// Adds what asks for an expression and goes on at the first of `next` if it does not hold, at the second if it does;
/// returns where that begins. What comes behind it is there already.
fn emit(expr: &Expr, next: [u32; 2], steps: &mut Vec<Step>) -> u32 {
    let [fails, holds] = next;
    match expr {
        Expr::Leaf(predicate, _) => {
            steps.push(Step { predicate: *predicate, next });
            u32::try_from(steps.len() - 1).unwrap_or(FAILS)
        }
        Expr::Not(inner) => emit(inner, [holds, fails], steps),
        // All of nothing holds; any of nothing, such as an empty list, does not.
        Expr::All(all) => {
            all.iter().rev().fold(holds, |behind, item| emit(item, [fails, behind], steps))
        }
        Expr::Any(all) => {
            all.iter().rev().fold(fails, |behind, item| emit(item, [behind, holds], steps))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eval(expr: &Expr, bits: u8) -> bool {
        match expr {
            Expr::Leaf(id, _) => bits >> id & 1 == 1,
            Expr::Not(inner) => !eval(inner, bits),
            Expr::All(items) => items.iter().all(|item| eval(item, bits)),
            Expr::Any(items) => items.iter().any(|item| eval(item, bits)),
        }
    }

    fn expr() -> impl Strategy<Value = Expr> {
        let leaf = (0_u32..8).prop_map(|id| Expr::Leaf(id, 0));
        leaf.prop_recursive(5, 30, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|e| Expr::Not(Box::new(e))),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::All),
                prop::collection::vec(inner, 0..4).prop_map(Expr::Any),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_program_decides_as_its_condition(expr in expr(), bits: u8) {
            let program = Program::new(&expr);
            prop_assert_eq!(program.run(|id| bits >> id & 1 == 1), eval(&expr, bits));
        }
    }
}

import numpy as np
import pytest

from tlkeras.heads.solvers.lbfgs import Curvature, Vector, minimise, same

plain = Vector.plain


def quadratic(size: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    half = rng.normal(size=(size, size))
    return half @ half.T + np.eye(size), rng.normal(size=size)


def test_inverse_curvature_is_exact_along_the_learned_steps() -> None:
    hessian, gradient = quadratic()
    curvature = Curvature(6)
    for step in np.eye(6):
        curvature.learn(plain(step), plain(hessian @ step))
    # BFGS with exact pairs along conjugate directions would end at the inverse; the last
    # pair is always met: H y = s.
    last = np.eye(6)[5]
    np.testing.assert_allclose(curvature.solve(plain(hessian @ last), same).values, last, atol=1e-4)
    assert plain(gradient) @ curvature.solve(plain(gradient), same) > 0


def test_two_loop_recursion_gives_the_same() -> None:
    hessian, gradient = quadratic()
    rng = np.random.default_rng(4)
    pairs = [(step, hessian @ step) for step in rng.normal(size=(25, 6))]
    curvature = Curvature(6)
    for pair in pairs:
        curvature.learn(*map(plain, pair))
    kept = pairs[-len(curvature.products) :]
    vector, shares = gradient.copy(), []
    for step, turn in reversed(kept):
        shares.append(step @ vector / (step @ turn))
        vector -= shares[-1] * turn
    step, turn = kept[-1]
    vector *= (step @ turn) / (turn @ turn)
    for (step, turn), share in zip(kept, reversed(shares), strict=True):
        vector += step * (share - turn @ vector / (step @ turn))
    np.testing.assert_allclose(
        curvature.solve(plain(gradient), same).values, vector, rtol=1e-3, atol=1e-4
    )


def test_stiffened_curvature_is_that_of_the_stiffer_function() -> None:
    hessian, gradient = quadratic()
    by = np.array([0.5, 2.0, 0.0, 1.0, 3.0, 0.1])
    softer, stiffer = Curvature(6), Curvature(6)
    for step in np.random.default_rng(5).normal(size=(4, 6)):
        softer.learn(plain(step), plain(hessian @ step))
        stiffer.learn(plain(step), plain((hessian + np.diag(by)) @ step))
    softer.stiffen(by)
    np.testing.assert_allclose(
        softer.solve(plain(gradient), same).values,
        stiffer.solve(plain(gradient), same).values,
        rtol=1e-3,
        atol=1e-4,
    )


def test_steps_of_no_or_negative_curvature_are_forgotten() -> None:
    curvature = Curvature(3)
    curvature.learn(plain(np.ones(3)), plain(-np.ones(3)))
    curvature.learn(plain(np.zeros(3)), plain(np.zeros(3)))
    assert curvature.order == []


def test_minimise_finds_the_lowest_point_of_a_bent_valley() -> None:
    hessian, gradient = quadratic()
    scales = np.array([1e-2, 1.0, 30.0, 1.0, 5.0, 1.0])
    bent = hessian * scales[:, None] * scales

    def valley(at: Vector) -> tuple[float, Vector]:
        x = at.values
        return float(0.5 * x @ bent @ x - gradient @ x), plain(bent @ x - gradient)

    point, _, converged = minimise(valley, plain(np.zeros(6)), 1e-6)
    assert converged
    np.testing.assert_allclose(bent @ point.values, gradient, atol=1e-5)


def test_minimise_in_coefficients_finds_the_same_point() -> None:
    hessian, gradient = quadratic()
    basis = np.random.default_rng(7).normal(size=(4, 6))  # points are basis.T @ values
    products = basis @ basis.T

    def valley(at: Vector) -> tuple[float, Vector]:
        x = basis.T @ at.values
        # A gradient inside the space: basis.T times these values has the same products.
        slope = np.linalg.solve(products, basis @ (hessian @ x - gradient))
        return float(0.5 * x @ hessian @ x - gradient @ x), Vector(slope, products @ slope)

    point, _, converged = minimise(valley, Vector(np.zeros(4), np.zeros(4)), 1e-6)
    expected = np.linalg.solve(basis @ hessian @ basis.T, basis @ gradient)
    assert converged
    np.testing.assert_allclose(point.values, expected, atol=1e-4)
    np.testing.assert_allclose(point.image, products @ point.values, atol=1e-5)


def test_minimise_says_when_it_did_not_converge() -> None:
    _, steps, converged = minimise(
        lambda x: (float(-x.values.sum()), plain(-np.ones(2))), plain(np.zeros(2))
    )
    assert not converged
    assert steps == 500


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_memory_of_the_pairs_is_bounded(size: int) -> None:
    curvature = Curvature(size)
    assert 5 <= len(curvature.products) <= 20
    assert curvature.steps.values.nbytes + curvature.turns.values.nbytes <= max(2**26, 40 * size)

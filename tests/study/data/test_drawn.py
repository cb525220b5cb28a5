"""Drawn templates."""

from finhash.study.data import drawn


def test_a_template_depends_on_seed_and_family_only():
    template, again = drawn.draw_template(1, 5), drawn.draw_template(1, 5)
    assert (template.size, template.mode) == ((250, 250), "RGB")
    assert template.tobytes() == again.tobytes()
    assert template.tobytes() != drawn.draw_template(1, 6).tobytes()
    assert template.tobytes() != drawn.draw_template(2, 5).tobytes()

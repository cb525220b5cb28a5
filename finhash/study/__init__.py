"""What only the experiments need: data, measurement, evaluation, figures, report."""

"""What an expno was: kind of experiment, nucleus, temperature, spinning and irradiation, each with its evidence."""

"""What the files of an expno hold: parameters, lists, raw and processed data, TopSpin's own results."""

"""Analysis by ablation (paper section 5, Fig. 4; spec 5.3): do descriptions say which units matter?

- `criteria`: scores of units by their descriptions;
- `orders`: in which order units are ablated, and random orders to compare with;
- `curves`: area under accuracy curves, intervals and tests;
- `importance`: accuracy without single units, and how it goes with the criteria;
- `stage`: files to files; `tables` and `drawings`: what the report shows.
"""

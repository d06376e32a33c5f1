"""Analysis by ablation (paper section 5, Fig. 4): do descriptions say which units matter?"""

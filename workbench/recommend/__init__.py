"""Recommenders, what they must offer, and how they are measured."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "protocol": ["Counted", "Examples", "Recommender", "Trained"],
        "ranking": ["scores_of", "scores_or_none", "top_k"],
        "beyond": ["coverage", "novelty", "popularity_bias"],
        "evaluation": [
            *("evaluate", "evaluate_targets", "list_metrics", "next_items"),
        ],
        "tasks": ["Task", "basket_task", "collaborative_task", "session_task", "target_auc"],
        "comparison": ["Comparison", "compare"],
        "refit": ["ByRefit"],
        "training": ["Training"],
        "laws": ["check_recommender"],
        "collaborative.own_actions": ["OwnActions", "OwnActionsConfig"],
        "collaborative.popularity": ["Popularity"],
        "collaborative.itemknn": ["ItemKNN", "ItemKNNConfig"],
        "collaborative.ease": ["EASE", "EASEConfig"],
        "collaborative.als": ["ALS", "ALSConfig"],
        "collaborative.bpr": ["BPR", "BPRConfig"],
        "collaborative.lightgcn": ["LightGCN", "LightGCNConfig"],
        "collaborative.sgl": ["SGL", "SGLConfig"],
        "session.markov": ["Markov", "MarkovConfig"],
        "session.popularity": ["SessionPopularity", "SessionPopularityConfig"],
        "session.itemknn": ["SessionItemKNN", "SessionItemKNNConfig"],
        "session.sknn": ["SKNN", "SKNNConfig"],
        "session.vsknn": ["VSKNN", "VSKNNConfig"],
        "session.lastitem": ["LastItem", "LastItemConfig"],
        "session.recency": ["Recency", "RecencyConfig"],
        "session.gru4rec": ["GRU4Rec", "GRU4RecConfig"],
        "session.narm": ["NARM", "NARMConfig"],
        "session.sasrec": ["SASRec", "SASRecConfig"],
        "session.srgnn": ["SRGNN", "SRGNNConfig"],
        "basket.topfreq": ["TopFreq", "TopFreqConfig"],
        "basket.tifuknn": ["TIFUKNN", "TIFUKNNConfig"],
        "basket.upcf": ["UPCF", "UPCFConfig"],
        "basket.dnntsp": ["DNNTSP", "DNNTSPConfig"],
        "basket.sets2sets": ["Sets2Sets", "Sets2SetsConfig"],
    },
)

"""Shoppers of a service who read a topic, and their rows about it."""

TOPIC = "Horror novels"


def topic_rows(service, user, topic=TOPIC):
    rows = service.log.rows_of(user)
    return rows.loc[rows["item"].isin(service.catalogue.items_of(topic)), "interaction"].to_numpy()


def readers(service, n=8, least=3):
    """Shoppers with at least `least` rows of the topic, most rows first."""
    rows = service.log.frame
    counts = rows[rows["item"].isin(service.catalogue.items_of(TOPIC))]["user"].value_counts()
    return [
        int(user)
        for user in sorted(counts.index, key=lambda u: (-counts[u], u))
        if counts[user] >= least
    ][:n]

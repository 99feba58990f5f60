"""The log becomes append-only, and an action's state makes only the moves of its table."""

from django.db import migrations

from automation import triggers


class Migration(migrations.Migration):
    dependencies = [("automation", "0001_initial")]
    operations = [migrations.RunPython(triggers.create, triggers.drop)]
